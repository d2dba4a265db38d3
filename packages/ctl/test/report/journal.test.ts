import type { Event } from "@safe-deploy/kube";
import { describe, expect, test } from "vitest";
import { Journal } from "../../src/report/journal.ts";
import { event, ms, newSet, oldSet, pod, snapshot, start } from "../fixtures/cluster.ts";
import { analysis, canary, objects } from "../fixtures/rollout.ts";

const ours = pod({ name: "myapp-7d9c4b-a" });

function events(seen: Event[], since = start): string[] {
  const journal = new Journal(0, "app");
  journal.begin(snapshot({ replicaSets: [oldSet] }), since);
  journal.look({ workload: snapshot({ pods: [ours] }), analysisRuns: [], events: seen, now: ms(60) });
  return journal.events.map(({ message }) => message ?? "");
}

describe("events", () => {
  test("are those of the release's own objects, since the operation began", () => {
    const began = ms(30);
    const namesake = { kind: "Pod", metadata: { name: ours.metadata.name, uid: "of a release that is gone" } };
    const stranger = { kind: "Pod", metadata: { name: "other-1", uid: "other" } };
    const seen = [
      event(ours, "Pulled", "of the update before", { first: 10 }),
      event(ours, "BackOff", "goes on since before", { first: 10, last: 50, count: 4 }),
      event(newSet, "SuccessfulCreate", "of the new pods", { first: 31 }),
      event(namesake, "Killing", "of a namesake", { first: 40 }),
      event(stranger, "Killing", "of somebody else", { first: 40 }),
    ];
    expect(events(seen, began)).toEqual(["of the new pods", "goes on since before"]);
  });

  test("of a pod that is gone meanwhile still belong", () => {
    const journal = new Journal(start, "app");
    const look = (pods: (typeof ours)[], seen: Event[]) =>
      journal.look({ workload: snapshot({ pods }), analysisRuns: [], events: seen, now: ms(60) });
    look([ours], []);
    look([], [event(ours, "Killing", "Stopping container app", { first: 50 })]);
    expect(journal.events).toHaveLength(1);
  });
});

describe("an update that is begun again", () => {
  const replicaSets = [oldSet, newSet];
  const look = (journal: Journal, second: number, runs: ReturnType<typeof analysis>[], aborted = false) => {
    const { rollout, analysisRuns } = objects(canary({ currentStepIndex: 1, abort: aborted }), { analysisRuns: runs });
    const workload = {
      deployment: undefined,
      rollout,
      replicaSets: objects(rollout).replicaSets,
      pods: [],
      endpoints: [],
    };
    journal.look({ workload, analysisRuns, events: [], now: ms(second) });
  };

  test("keeps nothing of the try before", () => {
    const journal = new Journal(start, "app");
    journal.begin({
      deployment: undefined,
      rollout: canary({ currentPodHash: "old" }),
      replicaSets,
      pods: [],
      endpoints: [],
    });
    const failed = analysis("Failed", { name: "first", createdSeconds: 12 });
    const passed = analysis("Successful", { name: "gate", step: 4, createdSeconds: 10 });
    look(journal, 20, [failed, passed], true);
    expect([...journal.analyses.keys()]).toEqual(["gate", "first"]);

    journal.beginAgain(ms(60));
    look(journal, 61, [failed, passed]);
    expect([...journal.analyses.keys()]).toEqual([]);
    look(journal, 63, [failed, passed, analysis("Running", { name: "second", createdSeconds: 62 })]);
    expect([...journal.analyses.keys()]).toEqual(["second"]);
  });
});
