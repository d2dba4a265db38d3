import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { parseAllDocuments } from "yaml";

const run = promisify(execFile);

const USAGE = `Prints the chart as plain manifests, for people who use kubectl and no Helm:

  pnpm --filter @safe-deploy/charts manifests --set-string image.tag=TAG | kubectl apply -f -

Without hooks nothing migrates the database and nothing verifies the release; pnpm ctl verifies it by hand.

  --release NAME        the release's name (myapp)
  -n, --namespace NAME  the namespace of every object (test-rollback)
  -f, --values FILE     values, as for Helm; may be repeated
  --set KEY=VALUE       a value, as for Helm; may be repeated
  --set-string KEY=TEXT a value that is text, as for Helm; may be repeated
  -o, --output FILE     where to write instead of to stdout
HELM names the Helm to run (helm).`;

export interface ManifestOptions {
  /** Path or name of Helm 3 or 4. */
  helm: string;
  release: string;
  namespace: string;
  /** More arguments for Helm, such as `--values FILE`. */
  args: string[];
}

/**
 * The chart's objects as one YAML stream, without hooks, each with its namespace. It may be applied again and again: a
 * Job could not, because it cannot be changed.
 * @throws with Helm's own message when it refuses the values.
 */
export async function renderManifests({ helm, release, namespace, args }: ManifestOptions): Promise<string> {
  const chart = join(import.meta.dirname, "myapp");
  const hooksOff = ["--no-hooks", "--set", "verify.enabled=false,migrations.enabled=false"];
  const { stdout } = await run(helm, ["template", release, chart, "--namespace", namespace, ...args, ...hooksOff], {
    maxBuffer: 64 * 2 ** 20,
  });
  for (const document of parseAllDocuments(stdout)) {
    if (document.hasIn(["metadata", "annotations", "helm.sh/hook"])) {
      throw new Error(
        `${String(document.getIn(["metadata", "name"]))} is a hook, although ${helm} was told to leave hooks out`,
      );
    }
  }
  return stdout;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      release: { type: "string", default: "myapp" },
      namespace: { type: "string", short: "n", default: "test-rollback" },
      values: { type: "string", short: "f", multiple: true, default: [] },
      set: { type: "string", multiple: true, default: [] },
      "set-string": { type: "string", multiple: true, default: [] },
      output: { type: "string", short: "o" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const manifests = await renderManifests({
    helm: process.env["HELM"] ?? "helm",
    release: values.release,
    namespace: values.namespace,
    args: [
      ...values.values.flatMap((file) => ["--values", file]),
      ...values.set.flatMap((value) => ["--set", value]),
      ...values["set-string"].flatMap((value) => ["--set-string", value]),
    ],
  });
  if (values.output === undefined) process.stdout.write(manifests);
  else await writeFile(values.output, manifests);
}

/** What to tell the user, and the exit code. */
function explain(error: unknown): [string, number] {
  const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code?.startsWith?.("ERR_PARSE_ARGS")) return [`${message}\n\n${USAGE}`, 2];
  if (code === "ENOENT" && stderr !== undefined)
    return ['Helm is not on PATH. Set HELM to one, or take the lab\'s: eval "$(pnpm --silent lab env)"', 1];
  return [stderr || message, 1];
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const [message, exitCode] = explain(error);
    process.stderr.write(`${message}\n`);
    process.exitCode = exitCode;
  }
}
