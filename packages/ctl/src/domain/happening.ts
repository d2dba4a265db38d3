import type { TimelineEntry } from "@safe-deploy/report";

/** Something that happened to a release, told by whoever did or saw it: what it is, and how a page shows it. */
export interface Happening extends Pick<TimelineEntry, "kind" | "outcome" | "mark"> {
  /** In plain words. */
  what: string;
}
