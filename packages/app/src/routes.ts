/**
 * Routes that tell the platform how the process is. They are not counted in the request metrics and no fault dial but
 * `unready` reaches them: a pod can be sick while its probes stay green.
 */
export const PROBE_ROUTES: readonly string[] = [
  "/live",
  "/ready",
  "/healthz",
  "/health",
  "/api/v1/health",
  "/metrics",
  "/metrics.json",
];

/** Routes that serve users: counted in the metrics and within reach of the fault dials. */
export const APP_ROUTES: readonly string[] = [
  "/feature/new",
  "/version",
  "/api/v1/version",
  "/api/v1/status",
  "/api/v1/notes",
  "/api/v1/notes/:id",
  "/api/v1/jobs",
  "/api/v1/jobs/:id",
  "/openapi.json",
];
