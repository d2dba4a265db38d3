import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";

export type ProbeTarget = { url: string; ca?: Buffer; cert?: Buffer; key?: Buffer; method?: string; body?: unknown };

/** One HTTP request; resolves with the answer, rejects when there is none within `timeoutMs`. */
export async function request(target: ProbeTarget, timeoutMs = 2000): Promise<{ status: number; body: string }> {
  const send = target.url.startsWith("https:") ? httpsRequest : httpRequest;
  const options: RequestOptions = {
    method: target.method ?? "GET",
    timeout: timeoutMs,
    agent: false,
    ...(target.ca && { ca: target.ca }),
    ...(target.cert && { cert: target.cert }),
    ...(target.key && { key: target.key }),
    ...(target.body !== undefined && { headers: { "content-type": "application/json" } }),
  };
  return await new Promise((resolve, reject) => {
    const sent = send(target.url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    sent.once("error", reject);
    sent.end(target.body === undefined ? undefined : JSON.stringify(target.body));
  });
}

/** Undefined if the target answers 200, else what it does instead. */
export async function whyNotReady(target: ProbeTarget): Promise<string | undefined> {
  try {
    const { status, body } = await request(target);
    return status === 200 ? undefined : `${target.url} answers ${status}: ${lastLine(body)}`;
  } catch (error) {
    return `${target.url}: ${(error as Error).message}`;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
}
