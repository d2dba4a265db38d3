import { ExactRate, seedFor } from "./exact-rate.ts";
import { APP_ROUTES } from "./routes.ts";
import { type Scenario, ScenarioRate } from "./scenario.ts";

/** The position of every fault dial. */
export type FaultSettings = {
  /** Share of failures by target: `*`, `jobs`, a route, or a method and a route. */
  errors: Record<string, number>;
  /** Share of jobs in whose middle the worker's process dies. */
  jobCrashes: number;
  /** Added to every app request, and to every job, before it is handled. */
  latencyMs: number;
  /** Memory kept per second, in MiB. */
  leakMbPerSecond: number;
  /** The process exits this long after the dial is set; `null`: never. */
  crashAfterSeconds: number | null;
  /** /ready answers 503. */
  unready: boolean;
  /** Every app route answers 500, and every job fails, while the probes stay green. */
  sick: boolean;
  /** A share of failures of all app routes and jobs that follows the time since the dial was set; `null`: none. */
  scenario: Scenario | null;
};

export const NO_FAULTS: FaultSettings = {
  errors: {},
  jobCrashes: 0,
  latencyMs: 0,
  leakMbPerSecond: 0,
  crashAfterSeconds: null,
  unready: false,
  sick: false,
  scenario: null,
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const LEAK_INTERVAL_MS = 100;
/** The target of the dial `errors` that stands for the worker's jobs. */
const JOBS = "jobs";
const MIB = 1024 * 1024;

/** The dials at work: who turns them, and what each does to the process. */
export class FaultDials {
  readonly #seed: number;
  readonly #crash: (when: string) => void;
  #settings: FaultSettings = NO_FAULTS;
  #rates = new Map<string, ExactRate>();
  #jobCrashes = new ExactRate(0, 0);
  #scenario: ScenarioRate | undefined;
  #leaked: Buffer[] = [];
  #leakTimer: NodeJS.Timeout | undefined;
  #crashTimer: NodeJS.Timeout | undefined;

  /** @param crash ends the process; called by the crash dials */
  constructor(options: { seed: number; crash: (when: string) => void }) {
    this.#seed = options.seed;
    this.#crash = options.crash;
  }

  get settings(): FaultSettings {
    return this.#settings;
  }

  /** Whether a dial is on that changes how app routes answer. */
  get affectsRequests(): boolean {
    return this.#settings.sick || this.#settings.latencyMs > 0 || this.#rates.size > 0 || this.#scenario !== undefined;
  }

  /** Puts every dial to `settings`. The error sequences start again from their seeds and leaked memory is let go. */
  set(settings: FaultSettings): void {
    this.#settings = settings;
    this.#rates = new Map(
      Object.entries(settings.errors)
        .filter(([, ratio]) => ratio > 0)
        .map(([target, ratio]) => [target, new ExactRate(ratio, seedFor(this.#seed, target))]),
    );
    this.#scenario = settings.scenario === null ? undefined : new ScenarioRate(settings.scenario, this.#seed);
    this.#jobCrashes = new ExactRate(settings.jobCrashes, seedFor(this.#seed, "job crashes"));
    this.#setLeak(settings.leakMbPerSecond);
    clearTimeout(this.#crashTimer);
    const { crashAfterSeconds } = settings;
    if (crashAfterSeconds !== null)
      this.#crashTimer = setTimeout(
        () => this.#crash(`after ${crashAfterSeconds} s`),
        crashAfterSeconds * 1000,
      ).unref();
  }

  /** Whether this request is to fail. The most specific target decides: method and route, then route, then `*`. */
  failsNext(method: string, route: string): boolean {
    if (this.#settings.sick) return true;
    const rate = this.#rates.get(`${method} ${route}`) ?? this.#rates.get(route) ?? this.#rates.get("*");
    return this.#failsBy(rate);
  }

  /** Whether this job is to fail. */
  failsNextJob(): boolean {
    if (this.#settings.sick) return true;
    return this.#failsBy(this.#rates.get(JOBS) ?? this.#rates.get("*"));
  }

  /** Both dials are asked, so that each keeps its own share. */
  #failsBy(rate: ExactRate | undefined): boolean {
    const byErrors = rate?.next() ?? false;
    const byScenario = this.#scenario?.next() ?? false;
    return byErrors || byScenario;
  }

  /** Ends the process if this job is to be lost. */
  crashInJob(): void {
    if (this.#jobCrashes.next()) this.#crash("in the middle of a job");
  }

  /** Bytes held by the leak dial. */
  get leakedBytes(): number {
    return this.#leaked.reduce((sum, block) => sum + block.length, 0);
  }

  #setLeak(mbPerSecond: number): void {
    clearInterval(this.#leakTimer);
    this.#leaked = [];
    if (mbPerSecond === 0) return;
    const started = performance.now();
    this.#leakTimer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) / 1000) * mbPerSecond * MIB) - this.leakedBytes;
      // Filled with other than 0, so that the pages are really resident.
      if (due > 0) this.#leaked.push(Buffer.alloc(due, 1));
    }, LEAK_INTERVAL_MS).unref();
  }
}

/** Reads `GET /feature/new=0.3,/api/v1/notes=0.05`; what is wrong is returned line by line beside what is right. */
export function parseErrorRatios(text: string): { ratios: Record<string, number>; problems: string[] } {
  const ratios: Record<string, number> = {};
  const problems: string[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const at = entry.lastIndexOf("=");
    const target = entry.slice(0, Math.max(at, 0)).trim();
    const ratio = at < 0 ? NaN : Number(entry.slice(at + 1).trim() || NaN);
    const problem = errorRatioProblem(target, ratio);
    if (problem === undefined) ratios[target] = ratio;
    else problems.push(`${JSON.stringify(entry)}: ${problem}`);
  }
  return { ratios, problems };
}

/** What is wrong with an error dial, if anything. */
export function errorRatioProblem(target: string, ratio: number): string | undefined {
  const [route = "", method] = target.split(" ").toReversed();
  if (!(ratio >= 0 && ratio <= 1)) return "want TARGET=RATIO with a ratio from 0 to 1";
  if (method !== undefined && !METHODS.includes(method)) return `unknown method; want one of ${METHODS.join(", ")}`;
  if (target !== "*" && target !== JOBS && !APP_ROUTES.includes(route))
    return `unknown target; want *, ${JOBS}, or one of ${APP_ROUTES.join(", ")}`;
  return undefined;
}

/** One word for what the dials make of this process, as JSON metrics report it. */
export function scenarioOf(settings: FaultSettings): Scenario {
  const { sick, errors, jobCrashes, scenario } = settings;
  if (scenario !== null) return scenario;
  if (sick || jobCrashes > 0 || Object.values(errors).some((ratio) => ratio > 0)) return "buggy";
  return settings.latencyMs > 0 || settings.leakMbPerSecond > 0 ? "degrading" : "healthy";
}
