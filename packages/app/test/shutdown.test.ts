import { Agent, get, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { startServer, until } from "./processes.ts";

/** One request over the agent's kept connections; rejects when the connection breaks. */
async function request(url: string, agent: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent }), "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response;
}

function keepAliveAgent(): Agent {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

describe("SIGTERM", () => {
  it("loses no request under load: clients that follow /ready see only 200s, and the process ends with code 0", async () => {
    const server = await startServer({ DRAIN_SECONDS: "3", FAULT_LATENCY_MS: "30" });
    const outcomes = { answered: 0, failed: [] as string[], closing: 0 };
    const endpoint = new AbortController();
    const workers = Array.from({ length: 16 }, async () => {
      const agent = keepAliveAgent();
      while (!endpoint.signal.aborted)
        try {
          const response = await request(`${server.url}/version`, agent);
          outcomes.answered += 1;
          if (response.headers.connection === "close") outcomes.closing += 1;
          if (response.statusCode !== 200) outcomes.failed.push(`status ${response.statusCode}`);
        } catch (error) {
          outcomes.failed.push(String(error));
        }
    });
    await until(
      async () => outcomes.answered,
      (answered) => answered > 100,
    );
    server.child.kill("SIGTERM");
    await until(
      () => fetch(`${server.url}/ready`),
      ({ status }) => status === 503,
    );
    const whenUnready = outcomes.answered;
    // Endpoints are removed some time after the pod is unready: traffic goes on for a while.
    await until(
      async () => outcomes.answered,
      (answered) => answered > whenUnready + 100,
    );
    endpoint.abort();
    await Promise.all(workers);
    expect(outcomes.failed).toEqual([]);
    expect(outcomes.closing).toBeGreaterThan(100);
    expect(await server.finished).toMatchObject({ code: 0, signal: null });
  });

  it("answers the requests in flight, tells their clients to close, and ends without waiting for idle connections", async () => {
    const server = await startServer({ FAULT_LATENCY_MS: "1500" });
    const agent = keepAliveAgent();
    await request(`${server.url}/live`, agent);
    const inFlight = Array.from({ length: 8 }, () => request(`${server.url}/version`, keepAliveAgent()));
    await until(
      async () => (await fetch(`${server.url}/metrics`)).text(),
      (text) => Number(/^nodejs_active_resources\{type="Timeout"\} (\d+)/m.exec(text)?.[1]) >= 8,
    );
    server.child.kill("SIGTERM");
    for (const response of await Promise.all(inFlight))
      expect([response.statusCode, response.headers.connection]).toEqual([200, "close"]);
    expect(await server.finished).toMatchObject({ code: 0, stdout: expect.stringContaining('"msg":"stopped"') });
  });

  it("sent twice ends the process at once", async () => {
    const server = await startServer({ FAULT_LATENCY_MS: "600000" });
    const abandoned = request(`${server.url}/version`, keepAliveAgent()).catch((error: unknown) => String(error));
    await until(
      async () => (await fetch(`${server.url}/metrics`)).text(),
      (text) => Number(/^nodejs_active_resources\{type="Timeout"\} (\d+)/m.exec(text)?.[1]) >= 1,
    );
    server.child.kill("SIGTERM");
    await server.logged("shutting down");
    server.child.kill("SIGTERM");
    expect(await server.finished).toMatchObject({ code: 143, stdout: expect.stringContaining("second signal") });
    expect(await abandoned).toContain("Error");
  });
});
