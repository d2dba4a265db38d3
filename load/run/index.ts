export type { ScenarioName } from "../lib/scenarios.ts";
export type { LoadResult, SeriesPoint } from "./result.ts";
export {
  type Load,
  LoadError,
  type LoadOptions,
  type LoadProgress,
  LoadUsageError,
  runLoad,
  TargetDownError,
} from "./run-load.ts";
export {
  compareWeight,
  countByVersion,
  failuresOf,
  type Period,
  type VersionCount,
  type WeightComparison,
} from "./versions.ts";
