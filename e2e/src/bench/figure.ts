/** One thing that `make bench` measures. */
export interface Figure {
  /** As after --only. */
  name: string;
  /** Seconds that it takes about, for the estimate of the whole. */
  seconds: number;
  /** The environment variable that, set to 1, takes it into a whole run. Without one it always is. */
  onlyWith?: "COLD" | "LONG";
  measure: (bench: Bench) => Promise<Row[]>;
}

export interface Bench {
  /** PATH with the lab's kubectl and helm; LAB_NAME of the benches' own lab. */
  env: NodeJS.ProcessEnv;
  note: (line: string) => void;
  /** Records a part of the figure that could not be measured; the other parts count. */
  failed: (part: string, error: Error) => void;
}

/** One line of the page: a command beside its baseline, both measured in the same run. */
export interface Row {
  what: string;
  subject: Series;
  /** What the subject is set beside: another program, or the goal itself where there is none. */
  baseline: Series;
  /** The ratio that the goal is about. */
  ratio: Ratio;
  goal?: { text: string; isMet: boolean };
  /** What a reader must know beside the figures: end states, parts. */
  note?: string;
}

export interface Series {
  command: string;
  unit: "s" | "requests/s" | "requests" | "rollouts" | "bytes";
  values: number[];
  /** It was ended before its time; the true values are larger. */
  isAtLeast?: boolean;
}

export interface Ratio {
  /** Of the medians. */
  median: number;
  /** Of the pairs. */
  min: number;
  max: number;
  reads:
    | "times the baseline"
    | "times faster than the baseline"
    | "times fewer than the baseline"
    | "of the baseline"
    | "of the goal"
    | "of the limit";
  /** The baseline was ended before its time; the true ratio is larger. */
  isAtLeast?: boolean;
}
