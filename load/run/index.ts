export type { ScenarioName } from "../lib/scenarios.ts";
export { hasFailed, type LoadResult, type SeriesPoint } from "./result.ts";
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
