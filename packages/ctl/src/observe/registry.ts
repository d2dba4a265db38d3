import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ImageReference, parseImageReference } from "../domain/image-reference.ts";

/** What a registry says of an image reference. */
export type Resolution =
  | { state: "found"; digest: string }
  | { state: "missing"; why: string }
  /** The registry did not give an answer: this says nothing about the image. */
  | { state: "unknown"; why: string };

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const timeoutMs = 5_000;

/**
 * Asks the image's registry which content the reference names now.
 *
 * Credentials come from Docker's config file (DOCKER_CONFIG). CTL_REGISTRY_MIRRORS says where a registry is reached when
 * its own name is not resolvable from here: `registry.local=http://10.0.0.2:5000`, several separated by commas.
 */
export async function resolveImage(text: string): Promise<Resolution> {
  const reference = parseImageReference(text);
  if (reference === undefined) return { state: "missing", why: `"${text}" is not an image reference` };
  const url = `${registryBase(reference.registry)}/v2/${reference.repository}/manifests/${reference.digest ?? reference.tag}`;
  try {
    const response = await head(url, reference);
    const digest = response.headers.get("docker-content-digest") ?? reference.digest;
    if (response.ok && digest !== undefined) return { state: "found", digest };
    if (response.status === 404)
      return { state: "missing", why: `registry ${reference.registry} has no image ${text}` };
    return {
      state: "unknown",
      why: `registry ${reference.registry} answered ${response.status} ${response.statusText}`,
    };
  } catch (error) {
    return { state: "unknown", why: `registry ${reference.registry} cannot be asked: ${causeOf(error)}` };
  }
}

async function head(url: string, reference: ImageReference): Promise<Response> {
  const ask = (authorization: string | undefined) =>
    fetch(url, {
      method: "HEAD",
      headers: { accept: manifestTypes, ...(authorization === undefined ? {} : { authorization }) },
      signal: AbortSignal.timeout(timeoutMs),
    });
  const basic = await dockerCredentials(reference.registry);
  const first = await ask(basic);
  const challenge = first.headers.get("www-authenticate");
  if (first.status !== 401 || challenge?.toLowerCase().startsWith("bearer ") !== true) return first;
  return await ask(`Bearer ${await bearerToken(challenge, basic)}`);
}

/** Token authentication of the distribution specification. */
async function bearerToken(challenge: string, basic: string | undefined): Promise<string> {
  const parameters = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
  );
  const url = new URL(parameters["realm"] ?? "");
  for (const key of ["service", "scope"]) if (parameters[key] !== undefined) url.searchParams.set(key, parameters[key]);
  const response = await fetch(url, {
    headers: basic === undefined ? {} : { authorization: basic },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body = (await response.json()) as { token?: string; access_token?: string };
  const token = body.token ?? body.access_token;
  if (token === undefined) throw new Error(`${url.host} gave no token (${response.status})`);
  return token;
}

function registryBase(registry: string): string {
  for (const pair of (process.env["CTL_REGISTRY_MIRRORS"] ?? "").split(",")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at) === registry) return pair.slice(at + 1).replace(/\/$/, "");
  }
  if (registry === "docker.io") return "https://registry-1.docker.io";
  return /^(localhost|127\.|\[::1\])/.test(registry) ? `http://${registry}` : `https://${registry}`;
}

async function dockerCredentials(registry: string): Promise<string | undefined> {
  const folder = process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker");
  const text = await readFile(join(folder, "config.json"), "utf8").catch(() => "{}");
  const { auths } = JSON.parse(text) as { auths?: Record<string, { auth?: string }> };
  const key = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
  const auth = auths?.[key]?.auth ?? auths?.[`https://${registry}`]?.auth;
  return auth === undefined ? undefined : `Basic ${auth}`;
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
