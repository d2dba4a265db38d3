import type { Kube } from "@safe-deploy/kube";
import type { Helm } from "./act/helm.ts";
import type { Journal } from "./report/journal.ts";
import type { Timeline } from "./report/timeline.ts";
import type { Progress } from "./ui/progress.ts";

/** What every operation on a release works with. */
export interface Context {
  kube: Kube;
  helm: Helm;
  release: string;
  namespace: string;
  progress: Progress;
  timeline: Timeline;
  /** What is seen of the workload meanwhile. */
  journal: Journal;
  /** Aborts on the first Ctrl-C. */
  signal: AbortSignal;
  /** Arguments that name the same release on another command's line: `--release myapp -n shop`. */
  address: string;
}
