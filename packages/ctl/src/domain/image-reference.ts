/** An image reference taken apart: `registry.local:5000/team/app:1.2@sha256:…`. */
export interface ImageReference {
  registry: string;
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
}

/**
 * Reads a reference as containerd and Docker do: a first part with a dot, a colon or the name `localhost` is a registry;
 * without one it is Docker Hub, where official images live under `library/`.
 *
 * @returns undefined when it is not a valid reference.
 */
export function parseImageReference(text: string): ImageReference | undefined {
  const match = /^(?<name>[^@]+?)(?::(?<tag>[\w][\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/.exec(text);
  const { name, tag, digest } = match?.groups ?? {};
  if (name === undefined) return undefined;
  const [first = "", ...rest] = name.split("/");
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const path = hasRegistry ? rest.join("/") : name;
  if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/.test(path))
    return undefined;
  return {
    registry: hasRegistry ? first : "docker.io",
    repository: hasRegistry || path.includes("/") ? path : `library/${path}`,
    tag: tag ?? (digest === undefined ? "latest" : undefined),
    digest,
  };
}
