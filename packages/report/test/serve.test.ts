import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Report, type ReportServer, serveReport } from "../src/index.ts";
import { startBrowser, violations } from "./browser.ts";
import { abortedCanary, pausedCanary } from "./fixtures/reports.ts";
import { hostile } from "./hostile.ts";

/** A source that gives what it is told to give. */
class Feed implements AsyncIterable<Report> {
  #waiting: PromiseWithResolvers<IteratorResult<Report>>[] = [];
  #ready: Promise<IteratorResult<Report>>[] = [];

  give(report: Report): void {
    this.#settle((next) => next.resolve({ done: false, value: report }));
  }

  end(): void {
    this.#settle((next) => next.resolve({ done: true, value: undefined }));
  }

  fail(error: Error): void {
    this.#settle((next) => next.reject(error));
  }

  #settle(settle: (next: PromiseWithResolvers<IteratorResult<Report>>) => void): void {
    const waiting = this.#waiting.shift();
    const next = waiting ?? Promise.withResolvers<IteratorResult<Report>>();
    settle(next);
    if (waiting === undefined) this.#ready.push(next.promise);
  }

  [Symbol.asyncIterator](): AsyncIterator<Report> {
    return {
      next: () => {
        const ready = this.#ready.shift();
        if (ready !== undefined) return ready;
        const waiting = Promise.withResolvers<IteratorResult<Report>>();
        this.#waiting.push(waiting);
        return waiting.promise;
      },
    };
  }
}

interface Served extends AsyncDisposable {
  feed: Feed;
  server: ReportServer;
  stop: AbortController;
}

async function serve(first: Report = pausedCanary()): Promise<Served> {
  const feed = new Feed();
  feed.give(first);
  const stop = new AbortController();
  const server = await serveReport({ source: feed, signal: stop.signal });
  return {
    feed,
    server,
    stop,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await server.closed;
    },
  };
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

async function ask(url: string, o: { host?: string; method?: string } = {}): Promise<Answer> {
  const { host, method = "GET" } = o;
  const outgoing = request(url, { method, agent: false, headers: host === undefined ? {} : { host } });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk as string;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

describe("the server", () => {
  test("serves the page and the report, and says that nobody may keep or frame them", async () => {
    await using served = await serve();
    const page = await ask(served.server.url);
    expect(page.status).toBe(200);
    expect(page.body).toContain("waits for a person");
    expect(page.headers["content-security-policy"]).toMatch(
      /default-src 'none'.*connect-src 'self'.*frame-ancestors 'none'/,
    );
    expect(page.headers["cache-control"]).toBe("no-store");
    const report = await ask(`${served.server.url}report.json`);
    expect(JSON.parse(report.body)).toEqual(pausedCanary());
    expect((await ask(`${served.server.url}other`)).status).toBe(404);
    expect((await ask(served.server.url, { method: "POST" })).status).toBe(405);
  });

  test.each(["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", "localhost:1"])(
    "refuses the Host %j, which a rebound name would send",
    async (host) => {
      await using served = await serve();
      for (const path of ["", "events", "report.json"]) {
        const { status, body } = await ask(`${served.server.url}${path}`, { host });
        expect(status).toBe(421);
        expect(body).not.toContain("20251028");
      }
    },
  );

  test("is reached by localhost too", async () => {
    await using served = await serve();
    const { port } = new URL(served.server.url);
    expect((await ask(served.server.url, { host: `localhost:${port}` })).status).toBe(200);
  });

  test("listens on loopback alone", async () => {
    await using served = await serve();
    const { hostname, port } = new URL(served.server.url);
    expect(hostname).toBe("127.0.0.1");
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const address of ["127.0.0.2", ...others.map((other) => other.address)]) {
      const socket = connect({ host: address, port: Number(port) });
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ECONNREFUSED");
    }
  });

  test("refuses a port that is taken, and a source without a report", async () => {
    await using served = await serve();
    const port = Number(new URL(served.server.url).port);
    const feed = new Feed();
    feed.give(pausedCanary());
    await expect(serveReport({ source: feed, port, signal: new AbortController().signal })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    const empty = new Feed();
    empty.end();
    await expect(serveReport({ source: empty, signal: new AbortController().signal })).rejects.toThrow(
      "without a report",
    );
  });

  test("goes on serving the last report after the end, and ends with the signal", async () => {
    const served = await serve();
    served.feed.give(abortedCanary());
    served.feed.end();
    await served.server.ended;
    expect((await ask(served.server.url)).body).toContain("serves alone again");
    expect((await ask(`${served.server.url}events`)).body).toMatch(/event: frame\n.*\n\nevent: end\ndata:\n\n$/s);
    served.stop.abort();
    await served.server.closed;
    await expect(ask(served.server.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("hands on the source's error, and tells the pages that nothing will follow", async () => {
    await using served = await serve();
    const events = ask(`${served.server.url}events`);
    const [{ body }] = await Promise.all([
      events,
      expect(served.server.ended).rejects.toThrow("lost the cluster"),
      ask(`${served.server.url}report.json`).then(() => served.feed.fail(new Error("lost the cluster"))),
    ]);
    expect(body).toMatch(/event: broken\ndata:\n\n$/);
    expect(body).not.toContain("event: end");
  });

  test("gives a page that reads slowly the newest report instead of every one", async () => {
    await using served = await serve();
    const { port } = new URL(served.server.url);
    const socket = connect({ host: "127.0.0.1", port: Number(port) });
    await once(socket, "connect");
    socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    await once(socket, "readable");
    const frames = 200;
    const big = hostile();
    for (let frame = 0; frame < frames; frame++)
      served.feed.give({ ...big, verdict: { result: "running", summary: `frame ${frame}` } });
    served.feed.end();
    // What has been written by then is in the buffers of both ends.
    await ask(`${served.server.url}report.json`);
    let received = "";
    for await (const chunk of socket) {
      received += String(chunk);
      if (received.includes("event: end")) break;
    }
    await served.server.ended;
    const seen = [...received.matchAll(/"status":"Running: frame (\d+)"/g)].map(([, frame]) => Number(frame));
    expect(seen.at(-1)).toBe(frames - 1);
    expect(seen.length).toBeLessThan(frames);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe("the live page", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  test("changes in place: scroll, focus, what is unfolded and what is selected stay", async () => {
    await using served = await serve();
    const page = await browser.newPage({ viewport: { width: 390, height: 700 } });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(served.server.url);
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.locator("h1").innerText()).toContain("Paused");

    await page.locator("#plot-errors-table > summary").click();
    const slider = page.getByRole("slider", { name: "Error ratio: moment" });
    await slider.focus();
    await slider.press("Home");
    await slider.press("ArrowRight");
    await page.evaluate(() => {
      Object.assign(globalThis, {
        canvas: document.querySelector("#plot-errors canvas"),
        heading: document.querySelector("#traffic-title"),
      });
      const title = document.querySelector("#plot-errors-title");
      if (title !== null) getSelection()?.selectAllChildren(title);
    });
    const before = await slider.boundingBox();

    served.feed.give({ ...pausedCanary(), verdict: { result: "running", summary: "20251028.2 goes on to 50 %." } });
    await page.getByText("goes on to 50 %").first().waitFor();
    expect(await page.title()).toBe("Running: myapp in test-rollback");
    expect(await page.locator("#status").innerText()).toBe("Running: 20251028.2 goes on to 50 %.");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Error ratio: moment");
    expect(await slider.getAttribute("aria-valuenow")).toBe("2");
    expect(await page.evaluate(() => getSelection()?.toString())).toBe("Error ratio");
    expect(await page.locator("#plot-errors-table").getAttribute("open")).not.toBe(null);
    expect(Math.abs(((await slider.boundingBox())?.y ?? 0) - (before?.y ?? 0))).toBeLessThan(60);
    expect(
      await page.evaluate(() => {
        const { canvas, heading } = globalThis as unknown as { canvas: Element; heading: Element };
        return canvas.isConnected && heading.isConnected;
      }),
    ).toBe(true);

    served.feed.give(abortedCanary());
    served.feed.end();
    await page.getByText("Ended; this is how it ended").waitFor();
    await served.server.ended;
    expect(await page.locator("h1").innerText()).toContain("Restored");
    expect(await violations(page)).toEqual([]);
    expect(await page.locator("h2").allInnerTexts()).toContain("What was restored, and how it was verified");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Error ratio: moment");
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("draws plots that come later, and new points of those that are there", async () => {
    const { traffic, ...bare } = abortedCanary();
    await using served = await serve(bare);
    const page = await browser.newPage();
    await page.goto(served.server.url);
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.locator("canvas").count()).toBe(0);
    if (traffic === undefined) throw new Error("the fixture has traffic");
    const upTo = (count: number): Report => ({
      ...bare,
      traffic: {
        ...traffic,
        times: traffic.times.slice(0, count),
        series: traffic.series.map((series) => ({ ...series, values: series.values.slice(0, count) })),
      },
    });
    served.feed.give(upTo(10));
    const slider = page.getByRole("slider", { name: "Request rate: moment" });
    await slider.waitFor();
    expect(await slider.getAttribute("aria-valuemax")).toBe("10");
    served.feed.give(upTo(20));
    await page.locator('#plot-requests [aria-valuemax="20"]').waitFor();
    expect(await page.locator("canvas").count()).toBe(3);
    await page.close();
  });

  test("says when nobody answers any longer", async () => {
    const served = await serve();
    const page = await browser.newPage();
    await page.goto(served.server.url);
    await page.getByText("Live", { exact: true }).waitFor();
    served.stop.abort();
    await page.getByText(/^Connection lost at \d\d:\d\d:\d\d UTC/).waitFor();
    expect(await page.locator("h1").innerText()).toContain("Paused");
    await page.close();
  });

  test("keeps the text of others text when it comes as an update", async () => {
    await using served = await serve();
    const page = await browser.newPage();
    await page.goto(served.server.url);
    await page.getByText("Live", { exact: true }).waitFor();
    served.feed.give(hostile());
    served.feed.end();
    await page.getByText("Ended; this is how it ended").waitFor();
    expect(await page.evaluate(() => "owned" in globalThis)).toBe(false);
    expect(await page.locator("img, svg[onload], main script, main style").count()).toBe(0);
    expect(await page.locator("h1").count()).toBe(1);
    await page.close();
  });
});
