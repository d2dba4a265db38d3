import type { AnalysisMetric, Measurement, Phase } from "@safe-deploy/report";
import type { AttemptRecord, PathPoint, RulePoint } from "@safe-deploy/verdict-service";

/** Of the record of an attempt, what its curves need. */
export type Evidence = Pick<AttemptRecord, "canary" | "answer" | "path"> & {
  state: { policy: Pick<AttemptRecord["state"]["policy"], "budget"> };
};

/** A curve of a rule: its value and its boundary at a look; undefined where it has none. */
interface Curve {
  name: string;
  condition: string;
  read: (rule: RulePoint) => { value: number; boundary: number } | undefined;
}

const curves: Curve[] = [
  {
    name: "bad from the start",
    condition: "evidence since the start, in nats, of the test that has less; at its boundary the version fails",
    read: ({ absolute, relative, boundaries }) => both(absolute[0], relative[0], boundaries[0]),
  },
  {
    name: "turned bad",
    condition: "evidence lately, in nats, of the test that has less; at its boundary the version fails",
    read: ({ absolute, relative, boundaries }) => both(absolute[1], relative[1], boundaries[1]),
  },
  {
    name: "good at this weight",
    condition: "evidence since the last change of weight, in nats; at or below its boundary the gate passes",
    read: ({ gate: [value, boundary] }) => ({ value, boundary }),
  },
];

/** Both tests must reach the boundary, so the one that has less says how near it is. */
function both(absolute: number | null, relative: number | null, boundary: number) {
  const known = [absolute, relative].filter((value) => value !== null);
  return known.length === 0 ? undefined : { value: Math.min(...known), boundary };
}

/**
 * The evidence of the sequential engine as it grew: each rule's curves against their boundaries, and the bad requests
 * that were spent against the budget.
 */
export function evidenceMetrics({ answer, path: { points }, state: { policy } }: Evidence): AnalysisMetric[] {
  const names = [...new Set(points.flatMap(({ rules }) => rules.map(({ rule }) => rule)))];
  const decided = answer?.verdict === "fail" ? answer.rule : undefined;
  const ofRules = names.flatMap((name) =>
    curves.flatMap((curve): AnalysisMetric[] => {
      const seen = points.flatMap((point) => {
        const rule = point.rules.find((each) => each.rule === name);
        const at = rule === undefined ? undefined : curve.read(rule);
        return at === undefined ? [] : [{ point, ...at }];
      });
      const last = seen.at(-1);
      if (last === undefined) return [];
      const isGate = curve === curves[2];
      return [
        {
          name: `evidence, ${name}: ${curve.name}`,
          phase: decided === name && !isGate && last.value >= last.boundary ? "Failed" : "Successful",
          condition: curve.condition,
          unit: "count",
          threshold: { max: last.boundary },
          provider: "the verdict service",
          measurements: seen.map(({ point, value, boundary }) =>
            measured(point, value, value >= boundary && !isGate ? "Failed" : "Successful"),
          ),
        },
      ];
    }),
  );
  return points.length === 0 ? [] : [...ofRules, spent(points, policy.budget)];
}

function spent(points: readonly PathPoint[], budget: number | undefined): AnalysisMetric {
  const last = points.at(-1)!.spent;
  return {
    name: "bad requests spent",
    phase: budget !== undefined && last > budget ? "Failed" : "Successful",
    condition: "bad requests of the new version beyond those that stable would have had",
    unit: "count",
    ...(budget === undefined ? {} : { threshold: { max: budget } }),
    provider: "the verdict service",
    measurements: points.map((point) =>
      measured(point, point.spent, budget !== undefined && point.spent > budget ? "Failed" : "Successful"),
    ),
  };
}

function measured({ at }: PathPoint, value: number, phase: Phase): Measurement {
  return { at: new Date(at).toISOString(), value, phase };
}
