/** Options that every command on a release takes. */
export interface GlobalOptions {
  namespace?: string;
  release: string;
  kubeconfig?: string;
  context?: string;
  output: "text" | "json";
  /** As after `--timeout`: `90s`, `5m`. */
  timeout: string;
  /** Whether nobody chose the timeout. */
  timeoutIsDefault?: boolean;
}

/** `90s`, `5m`, `1h30m` or plain seconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const match = /^(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (match === null) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return hours * 3600 + minutes * 60 + seconds;
}
