import { describe, expect, it } from "vitest";
import { dependenciesOf } from "../../src/images/debian.ts";
import { nextTag, registriesConfig } from "../../src/images/dockerfile-image.ts";
import { formatReference, parseReference } from "../../src/images/registry.ts";

describe("nextTag", () => {
  const now = new Date("2026-03-04T23:59:00Z");

  it("starts the day at 1", () => {
    expect(nextTag([], now)).toBe("20260304.1");
    expect(nextTag(["20260303.7", "e2e", "20260304", "20260304.x", "v20260304.9"], now)).toBe("20260304.1");
  });

  it("counts up from the day's highest number, not from how many there are", () => {
    expect(nextTag(["20260304.9", "20260304.10", "20260304.2"], now)).toBe("20260304.11");
  });
});

describe("parseReference", () => {
  it("reads a name with and without the registry", () => {
    expect(parseReference("registry.local/myapp:20260304.1")).toEqual({ repository: "myapp", tag: "20260304.1" });
    expect(parseReference("team/my-app:v1")).toEqual({ repository: "team/my-app", tag: "v1" });
    expect(formatReference(parseReference("myapp:1"))).toBe("registry.local/myapp:1");
  });

  it.each([
    "myapp",
    "MyApp:1",
    "docker.io/library/node:24",
    "localhost:5000/myapp:1",
    "myapp:",
    ":1",
    "registry.local/",
  ])("refuses %j", (text) => {
    expect(() => parseReference(text)).toThrow("is no image of the lab");
  });
});

it("dependenciesOf takes the first alternative, without versions and architectures", () => {
  const record = [
    "Package: postgresql-15",
    "Pre-Depends: init-system-helpers (>= 1.54~)",
    "Depends: locales | locales-all, libc6 (>= 2.34), perl:any, debconf (>= 0.5) | debconf-2.0",
    "Recommends: sysstat",
    "Description: Depends: nothing",
  ].join("\n");
  expect(dependenciesOf(record)).toEqual(["init-system-helpers", "locales", "libc6", "perl", "debconf"]);
});

it("registriesConfig sends only the lab's own name to its registry", () => {
  const config = registriesConfig("10.77.3.2:5000");
  expect(config).toContain('prefix = "registry.local"\nlocation = "10.77.3.2:5000"\ninsecure = true');
  expect(config).toContain("unqualified-search-registries = []");
});
