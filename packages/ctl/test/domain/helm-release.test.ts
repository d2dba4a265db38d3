import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chartLabel,
  decodeHelmRelease,
  encodeHelmRelease,
  type HelmStatus,
  isPending,
} from "../../src/domain/helm-release.ts";
import { isSupportedHelm, parseVersion } from "../../src/domain/helm-version.ts";
import { helmRelease } from "../fixtures/helm.ts";

describe("a release as Helm stores it", () => {
  test("comes through writing and reading whole, whatever is in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.dictionary(fc.string(), fc.jsonValue()), (manifest, config) => {
        const release = helmRelease({ manifest, config, apply_method: "ssa" });
        expect(decodeHelmRelease(encodeHelmRelease(release))).toEqual(JSON.parse(JSON.stringify(release)));
      }),
    );
  });

  test("is read as Helm writes it: base64 of base64 of gzip of JSON", () => {
    const release = helmRelease({ manifest: "kind: ConfigMap # ü" });
    const byHelm = gzipSync(JSON.stringify(release), { level: 9 }).toString("base64");
    expect(decodeHelmRelease(Buffer.from(byHelm).toString("base64"))).toEqual(release);
  });

  test.each<[HelmStatus, boolean]>([
    ["deployed", false],
    ["failed", false],
    ["superseded", false],
    ["uninstalled", false],
    ["unknown", false],
    ["uninstalling", true],
    ["pending-install", true],
    ["pending-upgrade", true],
    ["pending-rollback", true],
  ])("%s is in progress: %s", (status, pending) => {
    expect(isPending(helmRelease({ info: { status } }))).toBe(pending);
  });

  test("has its chart's name and version as a label", () => {
    expect(chartLabel(helmRelease({}))).toBe("myapp-0.1.0");
  });
});

describe("Helm's version", () => {
  test.each<[string, [number, number, number] | undefined]>([
    ["v4.3.1", [4, 3, 1]],
    ["v3.22.0+g1234567", [3, 22, 0]],
    ['version.BuildInfo{Version:"v4.10.0-rc.1"}', [4, 10, 0]],
    ["", undefined],
    ["v4", undefined],
  ])("%s", (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  test.each<[string, boolean]>([
    ["2.17.0", false],
    ["3.21.9", false],
    ["3.22.0", true],
    ["3.23.1", true],
    ["4.0.4", false],
    ["4.0.5", true],
    ["4.1.0", false],
    ["4.1.4", false],
    ["4.1.5", true],
    ["4.2.0", true],
    ["5.0.0", true],
  ])("%s can roll back over kept objects: %s", (text, supported) => {
    expect(isSupportedHelm(parseVersion(text) ?? [0, 0, 0])).toBe(supported);
  });
});
