import { describe, expect, test } from "vitest";
import { promotionLimitSeconds, valueOf } from "../../src/domain/helm-values.ts";
import { helmRelease } from "../fixtures/helm.ts";

const chart = { metadata: { name: "myapp", version: "0.1.0" }, values: { rollout: { waitScale: 1, router: "none" } } };

test("a value is the user's, over the chart's", () => {
  const release = helmRelease({ chart, config: { rollout: { router: "traefik" } } });
  expect(valueOf(release, "rollout", "router")).toBe("traefik");
  expect(valueOf(release, "rollout", "waitScale")).toBe(1);
  expect(valueOf(release, "rollout", "nothing", "there")).toBeUndefined();
  expect(valueOf(helmRelease({ config: null }), "mode")).toBeUndefined();
});

describe("a preview may wait for a person", () => {
  test.each([
    [{ autoPromotion: false, autoPromotionSeconds: 600 }, 1, 600],
    [{ autoPromotion: false, autoPromotionSeconds: 600 }, 0.01, 6],
    [{ autoPromotion: false, autoPromotionSeconds: 10 }, 0.01, 1],
    [{ autoPromotion: false, autoPromotionSeconds: 0 }, 1, undefined],
    [{ autoPromotion: true, autoPromotionSeconds: 600 }, 1, undefined],
    [{}, 1, undefined],
  ])("with %j, all waits times %d: %j s", (blueGreen, waitScale, seconds) => {
    expect(promotionLimitSeconds(helmRelease({ chart, config: { rollout: { blueGreen, waitScale } } }))).toBe(seconds);
  });
});
