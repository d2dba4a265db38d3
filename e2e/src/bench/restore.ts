import { deployArguments } from "../app-release.ts";
import { deployGood, type FaultCase, faultCases, prepareFaultNamespace } from "../fault-cases.ts";
import { describeEndState, helmDeploy, helmFlags } from "../helm-comparison.ts";
import { buildImages } from "../images.ts";
import { parseReport, stableState } from "../report.ts";
import { World } from "../world.ts";
import type { Bench, Figure, Row } from "./figure.ts";
import { median } from "./measure.ts";

const namespace = "bench-restore";
const timeoutSeconds = 60;

/** From the command to the restored release; for ctl also verified, which Helm does not do. */
export const restore: Figure = {
  name: "restore",
  seconds: 60 + faultCases.length * 100,
  async measure(bench) {
    const world = await World.open({ addons: "core", show: false });
    await buildImages(world, ["v1", "v2"]);
    await prepareFaultNamespace(world, namespace);
    const rows: Row[] = [];
    for (const [index, fault] of faultCases.entries()) {
      bench.note(`restore: ${index + 1} of ${faultCases.length}: ${fault.name}`);
      rows.push(await measureFault(world, fault, bench));
    }
    await world.removeNamespace(namespace);
    await world.namespaceGone(namespace);
    return rows;
  },
};

/** ctl, Helm, ctl: Helm's timeout makes each of its runs a minute long, and a second one tells nothing new. */
async function measureFault(world: World, fault: FaultCase, bench: Bench): Promise<Row> {
  // A content that was judged bad before is another case than one that is met for the first time.
  const attempt = (name: string) => ({ ...fault, more: [...fault.more, "--set-string", `config.ATTEMPT=${name}`] });
  const first = await ctlRestores(world, attempt("first"));
  const helm = await helmDeploy(world, namespace, attempt("helm"), { major: 4, timeoutSeconds });
  if (helm.code === 0) throw new Error(`Helm took "${fault.name}" for a good release`);
  bench.note(`restore: Helm took ${helm.seconds.toFixed(0)} s: ${describeEndState(helm.end)}`);
  await deployGood(world, namespace);
  const second = await ctlRestores(world, attempt("second"));

  const seconds = [first.seconds, second.seconds];
  const waits = helm.seconds >= timeoutSeconds;
  const faster = (value: number) => helm.seconds / value;
  const part = (name: "detectionSeconds" | "restoreSeconds") => median([first[name], second[name]]).toFixed(1);
  return {
    what: `bad release to restored: ${fault.name}`,
    subject: { command: "ctl deploy --skip-preflight", unit: "s", values: seconds },
    baseline: {
      command: `helm upgrade ${helmFlags[4].join(" ")} --timeout ${timeoutSeconds}s (Helm 4)`,
      unit: "s",
      values: [helm.seconds],
    },
    ratio: {
      median: faster(median(seconds)),
      min: faster(Math.max(...seconds)),
      max: faster(Math.min(...seconds)),
      reads: "times faster than the baseline",
    },
    ...(waits ? { goal: { text: "at least 10", isMet: faster(median(seconds)) >= 10 } } : {}),
    note: `ctl: found after ${part("detectionSeconds")} s, restored and verified in ${part("restoreSeconds")} s more. Helm: ${
      waits ? "waited for its timeout" : "ended by itself"
    }; left ${describeEndState(helm.end)}`,
  };
}

async function ctlRestores(
  world: World,
  fault: FaultCase,
): Promise<{ seconds: number; detectionSeconds: number; restoreSeconds: number }> {
  const before = await stableState(world, namespace);
  const ran = await world.ctl(deployArguments(namespace, fault.version ?? "v2", [...fault.more, "--skip-preflight"]));
  const after = await stableState(world, namespace);
  if (ran.code !== 5 || after.digest !== before.digest || after.configMap !== before.configMap)
    throw new Error(`ctl did not restore after "${fault.name}" (exit code ${ran.code}):\n${ran.stdout}\n${ran.stderr}`);
  const { detectionSeconds, restoreSeconds } = parseReport(ran);
  if (detectionSeconds === undefined || restoreSeconds === undefined)
    throw new Error(`the report of ctl does not say when it found the fault and when it restored:\n${ran.stdout}`);
  return { seconds: ran.seconds, detectionSeconds, restoreSeconds };
}
