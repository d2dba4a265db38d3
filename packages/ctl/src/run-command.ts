import type { Kube } from "@safe-deploy/kube";
import { type GlobalOptions, parseDuration } from "./command-line.ts";
import type { Context } from "./context.ts";
import { CtlError } from "./errors.ts";
import { Journal } from "./report/journal.ts";
import { Timeline } from "./report/timeline.ts";
import { LiveProgress } from "./ui/live-progress.ts";
import { PlainProgress, type Progress } from "./ui/progress.ts";

/** The cluster's side of a command, before any helm is needed. */
export interface Connection {
  kube: Kube;
  release: string;
  address: string;
  signal: AbortSignal;
}

/** Connects as the options and the environment say. */
export async function connect(options: GlobalOptions, signal: AbortSignal): Promise<Connection> {
  const { Kube } = await import("@safe-deploy/kube");
  const kube = await Kube.connect({
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
    ...(options.context === undefined ? {} : { context: options.context }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    fieldManager: "ctl",
  });
  return { kube, release: options.release, address: `--release ${options.release} -n ${kube.namespace}`, signal };
}

/** Runs an operation that changes the release, with its view on stderr. */
export async function operate<T>(
  options: GlobalOptions,
  title: string,
  signal: AbortSignal,
  body: (context: Context) => Promise<T>,
): Promise<T> {
  const connection = await connect(options, signal);
  const { Helm } = await import("./act/helm.ts");
  const { kube, release } = connection;
  const helm = await Helm.find({
    release,
    namespace: kube.namespace,
    kubeconfig: options.kubeconfig,
    context: options.context,
  });
  const progress = chooseProgress(title, timeoutSeconds(options));
  const timeline = new Timeline((entry) => progress.note(entry.seconds, entry.what));
  const journal = new Journal(timeline.startedAt);
  try {
    return await body({ ...connection, namespace: kube.namespace, helm, progress, timeline, journal });
  } finally {
    progress.end();
  }
}

/** @throws CtlError CTL_E_USAGE */
export function timeoutSeconds(options: GlobalOptions): number {
  const seconds = parseDuration(options.timeout);
  if (seconds === undefined || seconds === 0) {
    throw new CtlError("CTL_E_USAGE", `--timeout ${options.timeout} is not a duration`, {
      next: "write it as 90s, 5m or 1h",
    });
  }
  return seconds;
}

function chooseProgress(title: string, seconds: number): Progress {
  const live = process.stderr.isTTY && process.env["CI"] === undefined && process.env["TERM"] !== "dumb";
  if (!live) return new PlainProgress((text) => process.stderr.write(text));
  return new LiveProgress({ stream: process.stderr, title, deadline: Date.now() + seconds * 1000 });
}
