export { parseSettings, type ReleaseSettings, settingsAnnotation, SettingsError } from "./release-settings.ts";
