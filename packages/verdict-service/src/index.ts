export { type Endings, incidentsOf } from "./incidents.ts";
export type { PathPoint, RulePoint } from "./path.ts";
export { type AttemptRecord, parseRecord, recordName } from "./record.ts";
export { parseSettings, type ReleaseSettings, settingsAnnotation, SettingsError } from "./release-settings.ts";
