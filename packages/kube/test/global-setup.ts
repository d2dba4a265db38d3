import type { TestProject } from "vitest/node";
import { startApiServer, type ApiServer } from "./api-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    apiServer: { kubeconfig: string; pidFile: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server: ApiServer = await startApiServer();
  project.provide("apiServer", { kubeconfig: server.kubeconfig, pidFile: server.pidFile });
  return () => server.stop();
}
