import { existsSync } from "node:fs";
import { LabError, exitCodes } from "../errors.ts";
import { resolveLab } from "../identity.ts";
import { componentNames, logFile, type ComponentName } from "../node/components.ts";
import { refuseExternal } from "./down.ts";
import { handOver } from "./exec.ts";

/** Prints a component's log, and with `follow` what is added to it. */
export async function logs(component: string, o: { follow?: boolean }): Promise<number> {
  const lab = resolveLab();
  refuseExternal("logs");
  if (!componentNames.includes(component as ComponentName)) {
    throw new LabError(`the lab's node has no component ${JSON.stringify(component)}`, {
      hint: `It has: ${componentNames.join(", ")}. What runs in pods is read with \`kubectl logs\`.`,
      exitCode: exitCodes.usage,
    });
  }
  const file = logFile(lab, component);
  if (!existsSync(file)) {
    throw new LabError(`${component} of ${lab.name} has no log: it has not been started`, {
      hint: "`lab up` starts it.",
    });
  }
  return await handOver("tail", ["-n", "+1", ...(o.follow ? ["-F"] : []), file], process.env);
}
