import { describe, expect, test } from "vitest";
import { HELM_VERSIONS, problems, refusal, render, type Rendered, type Values } from "./support/helm.ts";
import { withImages } from "./support/values.ts";

function version(rendered: Rendered): string {
  return rendered.config.metadata.labels["safe-deploy.dev/config"];
}

function secretText(rendered: Rendered): Record<string, string> {
  const data: Record<string, string> = rendered.get("Secret").data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

describe("the config version", () => {
  test("is an immutable pair that outlives its release and carries one hash", async () => {
    const rendered = await render(withImages({ config: { A: "1" }, secrets: { B: "2" } }));
    const hash = version(rendered);
    expect(hash).toMatch(/^[0-9a-f]{10}$/);
    for (const [object, name] of [
      [rendered.config, `myapp-config-${hash}`],
      [rendered.get("Secret"), `myapp-secret-${hash}`],
    ]) {
      expect(object.metadata.name).toBe(name);
      expect(object.immutable).toBe(true);
      expect(object.metadata.annotations).toEqual({
        "helm.sh/resource-policy": "keep",
        "argocd.argoproj.io/sync-options": "Prune=false",
        "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
      });
      expect(object.metadata.labels).toMatchObject({
        "safe-deploy.dev/release": "myapp",
        "safe-deploy.dev/config": hash,
      });
    }
  });

  test("is rendered when there is nothing in it, without an empty map that could not be applied a second time", async () => {
    const rendered = await render();
    expect(rendered.config).not.toHaveProperty("data");
    expect(rendered.get("Secret")).not.toHaveProperty("data");
  });

  test("does not depend on the order of keys, on the Helm version, on the chart's other values or on the release", async () => {
    const config = { A: "1", B: "2", C: "3" };
    const reversed = { C: "3", B: "2", A: "1" };
    const versions = await Promise.all([
      render(withImages({ config })).then(version),
      render(withImages({ config: reversed })).then(version),
      render(withImages({ config }), { helm: 3 }).then(version),
      render(withImages({ config, replicaCount: 9, image: { tag: "v2" } })).then(version),
      render(withImages({ config }), { release: "other", namespace: "elsewhere" }).then(version),
    ]);
    expect(new Set(versions).size).toBe(1);
  });

  test("is another for every change of a key or value, wherever it stands", async () => {
    const variants: Values[] = [
      {},
      { config: { A: "1" } },
      { config: { A: "2" } },
      { config: { B: "1" } },
      { config: { A: "1", B: "" } },
      { secrets: { A: "1" } },
      { secrets: { A: "2" } },
      { config: { A: "1" }, secrets: { B: "1" } },
    ];
    const versions = await Promise.all(variants.map((values) => render(withImages(values)).then(version)));
    expect(new Set(versions).size).toBe(variants.length);
  });

  test("is the same whether a number is written as a number or as text", async () => {
    const [number, text] = await Promise.all([
      render(withImages({ config: { PORT: 8080 } })),
      render(withImages({ config: { PORT: "8080" } })),
    ]);
    expect(version(number)).toBe(version(text));
  });
});

describe.each(HELM_VERSIONS)("environment under Helm %i", (helm) => {
  const written: Values = {
    TEXT: "plain",
    EMPTY: "",
    SPACES: "  two  ",
    LINES: "first\nsecond\n",
    QUOTES: `"double" and 'single'`,
    MARKUP: "<a href='?a=1&b=2'>",
    UNICODE: "žluťoučký \u{1F40E}",
    TEMPLATE: "{{ .Values.image.tag }}",
    LOOKS_LIKE_NUMBER: "1e6",
    LOOKS_LIKE_BOOLEAN: "true",
    WHOLE: 8080,
    ZERO: 0,
    NEGATIVE: -5,
    MILLION: 1e6,
    TEN_DIGITS: 1234567890,
    FRACTION: 0.1,
    LONG_FRACTION: 12345678.5,
    TRUE: true,
    FALSE: false,
  };
  const expected = Object.fromEntries(Object.entries(written).map(([key, value]) => [key, String(value)]));

  test("is what was written, as text", async () => {
    const rendered = await render(withImages({ config: written, flags: { FLAG: false }, secrets: { PIN: 1234 } }), {
      helm,
    });
    expect(rendered.config.data).toEqual({ ...expected, FLAG: "false" });
    expect(secretText(rendered)).toEqual({ PIN: "1234" });
  });

  test("is the same in a Secret", async () => {
    const rendered = await render(withImages({ secrets: written }), { helm });
    expect(secretText(rendered)).toEqual(expected);
  });

  test("may be given on the command line", async () => {
    const rendered = await render(withImages({}), {
      helm,
      args: ["--set", "config.COUNT=1000000,config.RATIO=0.1,config.ON=true", "--set-string", "config.TEXT=1000000"],
    });
    expect(rendered.config.data).toEqual({ COUNT: "1000000", RATIO: "0.1", ON: "true", TEXT: "1000000" });
  });

  test("of exponents in YAML is a plain number", async () => {
    const { config } = await render({}, { helm, ci: "everything-values.yaml" });
    expect(config.data).toMatchObject({ LARGE: "1000000", FRACTION: "0.1", ENABLED: "true" });
  });
});

test("null leaves a key out", async () => {
  const { config } = await render(withImages({ config: { A: "1", B: null } }));
  expect(config.data).toEqual({ A: "1" });
});

test("a number that YAML cannot hold is refused instead of changed", async () => {
  expect(await problems(withImages({ config: { ID: 2 ** 53 + 2 } }))).toEqual([
    "config.ID: a number this large loses its last digits before the chart sees it; write it in quotes",
  ]);
});

test("lists and maps are refused with their path", async () => {
  const message = await refusal(withImages({ config: { LIST: ["a"] }, secrets: { MAP: { a: "b" } } }));
  expect(message).toMatch(/\/config\/LIST': got array/);
  expect(message).toMatch(/\/secrets\/MAP': got object/);
});

test("a key in two places is refused", async () => {
  const found = await problems(withImages({ config: { A: "1", B: "1" }, flags: { A: "2" }, secrets: { B: "3" } }));
  expect(found).toEqual([
    expect.stringMatching(/^flags\.A: is set in config as well/),
    expect.stringMatching(/^secrets\.B: is set in config as well/),
  ]);
});

test("existingSecret and extraEnvFrom come after the config version, extraEnv beside it", async () => {
  const rendered = await render(
    withImages({
      existingSecret: "database-v3",
      extraEnvFrom: [{ configMapRef: { name: "region" } }],
      extraEnv: [{ name: "A", value: "1" }],
    }),
  );
  expect(rendered.container.envFrom.slice(2)).toEqual([
    { secretRef: { name: "database-v3" } },
    { configMapRef: { name: "region" } },
  ]);
  expect(rendered.container.env).toEqual([{ name: "A", value: "1" }]);
  expect(rendered.get("Secret")).not.toHaveProperty("data");
});
