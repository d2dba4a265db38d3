import { openAsBlob } from "node:fs";
import { LabError } from "../errors.ts";

/** The name by which pods and Dockerfiles know the lab's registry. */
export const registryName = "registry.local";

export type Descriptor = { mediaType: string; digest: string; size: number };

/** An OCI image manifest, as far as the lab reads it. */
export type Manifest = {
  schemaVersion: 2;
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
};

const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

/** An image's place in the lab's registry; a digest will do as the tag of one that is read. */
export type Reference = { repository: string; tag: string };

/** "registry.local/myapp:1" or "myapp:1"; throws for what lies in another registry or has no tag. */
export function parseReference(text: string): Reference {
  const match = /^(?:registry\.local\/)?([a-z0-9]+(?:[._/-]+[a-z0-9]+)*):([\w][\w.-]{0,127})$/.exec(text);
  if (!match || /^[^/]*[.:][^/]*\//.test(match[1]!)) {
    throw new LabError(`${JSON.stringify(text)} is no image of the lab`, {
      hint: `Name it ${registryName}/NAME:TAG, with NAME in lower case.`,
      exitCode: 2,
    });
  }
  return { repository: match[1]!, tag: match[2]! };
}

export function formatReference(reference: Reference): string {
  return `${registryName}/${reference.repository}:${reference.tag}`;
}

/** A container registry, through its HTTP API (OCI distribution-spec v1.1). */
export class Registry {
  /** host:port */
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  /** undefined when there is no such image. */
  async manifest(reference: Reference): Promise<{ manifest: Manifest; digest: string } | undefined> {
    const response = await this.#request("GET", `/v2/${reference.repository}/manifests/${reference.tag}`, {
      headers: { accept: manifestTypes.join(", ") },
      expect: [200, 404],
    });
    if (response.status === 404) return undefined;
    const digest = response.headers.get("docker-content-digest") ?? "";
    return { manifest: (await response.json()) as Manifest, digest };
  }

  async pushManifest(reference: Reference, manifest: Manifest): Promise<void> {
    await this.#request("PUT", `/v2/${reference.repository}/manifests/${reference.tag}`, {
      headers: { "content-type": manifest.mediaType },
      body: JSON.stringify(manifest),
      expect: [201],
    });
  }

  async hasBlob(repository: string, digest: string): Promise<boolean> {
    const response = await this.#request("HEAD", `/v2/${repository}/blobs/${digest}`, { expect: [200, 404] });
    return response.status === 200;
  }

  /** `content` is the path of a file, or the bytes themselves. */
  async pushBlob(repository: string, digest: string, content: string | Buffer<ArrayBuffer>): Promise<void> {
    const started = await this.#request("POST", `/v2/${repository}/blobs/uploads/`, { expect: [202] });
    const location = new URL(started.headers.get("location") ?? "", `http://${this.address}`);
    location.searchParams.set("digest", digest);
    await this.#request("PUT", `${location.pathname}${location.search}`, {
      headers: { "content-type": "application/octet-stream" },
      body: typeof content === "string" ? await openAsBlob(content) : content,
      expect: [201],
    });
  }

  /** Gives a repository the blob of another one, without a transfer. */
  async mountBlob(repository: string, digest: string, from: string): Promise<void> {
    const query = new URLSearchParams({ mount: digest, from });
    await this.#request("POST", `/v2/${repository}/blobs/uploads/?${query.toString()}`, { expect: [201] });
  }

  async repositories(): Promise<string[]> {
    const response = await this.#request("GET", "/v2/_catalog?n=1000", { expect: [200] });
    return ((await response.json()) as { repositories: string[] }).repositories;
  }

  /** Empty for a repository that does not exist. */
  async tags(repository: string): Promise<string[]> {
    const response = await this.#request("GET", `/v2/${repository}/tags/list`, { expect: [200, 404] });
    if (response.status === 404) return [];
    return ((await response.json()) as { tags: string[] | null }).tags ?? [];
  }

  async #request(
    method: string,
    path: string,
    o: { headers?: Record<string, string>; body?: string | Blob | Buffer<ArrayBuffer>; expect: number[] },
  ): Promise<Response> {
    const url = `http://${this.address}${path}`;
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: o.headers ?? {},
        ...(o.body === undefined ? {} : { body: o.body }),
      });
    } catch (cause) {
      throw new LabError(
        `the registry at ${this.address} does not answer: ${String((cause as Error).cause ?? cause)}`,
        {
          hint: "`lab status` tells whether it runs, `lab up` starts it.",
          cause,
        },
      );
    }
    if (o.expect.includes(response.status)) return response;
    throw new LabError(`the registry answered ${method} ${url} with ${response.status}: ${await response.text()}`);
  }
}
