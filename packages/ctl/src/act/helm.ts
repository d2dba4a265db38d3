import { spawn } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CtlError } from "../errors.ts";
import { isSupportedHelm, parseVersion, supportedHelm } from "../domain/helm-version.ts";
import { operationVariable } from "../domain/operation.ts";

export interface HelmResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface HelmTarget {
  release: string;
  namespace: string;
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** The chart and the values of one deploy, as Helm takes them. */
export interface ChartInput {
  chart: string;
  /** Values that the live release was installed with and that this deploy keeps; the files and settings win over them. */
  base?: Record<string, unknown> | undefined;
  files: string[];
  /** `key=value` as after `--set`. */
  set: string[];
  setString: string[];
}

const goneGraceMs = 3_000;

/** The helm binary: finds it, knows its version, runs it as a child that carries the operation's mark. */
export class Helm {
  readonly version: [number, number, number];
  readonly #binary: string;
  readonly #target: HelmTarget;

  private constructor(binary: string, version: [number, number, number], target: HelmTarget) {
    this.#binary = binary;
    this.version = version;
    this.#target = target;
  }

  /**
   * @throws CtlError CTL_E_HELM_MISSING, or CTL_E_HELM_VERSION for one that cannot roll back this chart.
   */
  static async find(target: HelmTarget, binary = process.env["CTL_HELM"] ?? "helm"): Promise<Helm> {
    let result: HelmResult;
    try {
      result = await run(binary, ["version", "--template", "{{.Version}}"], {});
    } catch (error) {
      throw new CtlError("CTL_E_HELM_MISSING", `"${binary}" cannot be run: ${(error as Error).message}`, {
        next: `install Helm ${supportedHelm}, or name its binary in CTL_HELM`,
        cause: error,
      });
    }
    const version = parseVersion(result.stdout);
    if (version === undefined) {
      throw new CtlError(
        "CTL_E_HELM_MISSING",
        `"${binary} version" gave no version: ${result.stderr || result.stdout}`,
        {
          next: `install Helm ${supportedHelm}, or name its binary in CTL_HELM`,
        },
      );
    }
    if (!isSupportedHelm(version)) {
      throw new CtlError(
        "CTL_E_HELM_VERSION",
        `Helm ${version.join(".")} fails to roll back over the config versions that this chart keeps`,
        { next: `use Helm ${supportedHelm} (CTL_HELM names another binary)` },
      );
    }
    return new Helm(binary, version, target);
  }

  /** The objects that the chart renders to, hooks included, as one YAML text. */
  async template(input: ChartInput, o: { isUpgrade: boolean; kubeVersion?: string }): Promise<string> {
    const result = await this.#run(
      [
        ...["template", this.#target.release, ...chartArguments(input)],
        ...(o.kubeVersion === undefined ? [] : ["--kube-version", o.kubeVersion]),
        ...(o.isUpgrade ? ["--is-upgrade"] : []),
      ],
      { stdin: valuesStdin(input) },
    );
    if (result.code !== 0) {
      throw new CtlError("CTL_E_RENDER", helmWords(result), {
        next: "correct the values named above, then run the same command",
      });
    }
    return result.stdout;
  }

  /**
   * The values that the chart is rendered with: its own, with the files and settings merged over them by Helm itself.
   * Needs no cluster.
   *
   * @throws CtlError CTL_E_RENDER when the chart refuses them.
   */
  async values(input: ChartInput): Promise<Record<string, unknown>> {
    await this.template(input, { isUpgrade: false });
    const shown = await this.#run(["show", "values", input.chart], {});
    if (shown.code !== 0) throw new CtlError("CTL_E_NO_CHART", helmWords(shown), { next: "correct --chart" });
    // A chart that does nothing but print its values: so whatever Helm does to merge them is done.
    const folder = await mkdtemp(join(tmpdir(), "ctl-values-"));
    try {
      await mkdir(join(folder, "templates"));
      await writeFile(join(folder, "Chart.yaml"), "apiVersion: v2\nname: values\nversion: 0.0.0\n");
      await writeFile(join(folder, "values.yaml"), shown.stdout);
      await writeFile(join(folder, "templates/values.yaml"), "values: {{ .Values | toJson | b64enc }}\n");
      const text = await this.template({ ...input, chart: folder }, { isUpgrade: false });
      const encoded = /^values: (\S+)$/m.exec(text)?.[1];
      if (encoded === undefined) throw new Error(`helm printed no values: ${text}`);
      return JSON.parse(Buffer.from(encoded, "base64").toString()) as Record<string, unknown>;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Installs or upgrades, hooks included unless told otherwise, without Helm's own waiting for pods. */
  upgrade(
    input: ChartInput,
    o: { timeoutSeconds: number; operation: string; createNamespace?: boolean; noHooks?: boolean },
  ): HelmChild {
    const args = [
      ...["upgrade", this.#target.release, ...chartArguments(input), "--install", "--reset-values"],
      ...["--history-max", "30", "--timeout", `${o.timeoutSeconds}s`],
      ...(o.createNamespace === true ? ["--create-namespace"] : []),
      ...(o.noHooks === true ? ["--no-hooks"] : []),
    ];
    return this.#start(args, { stdin: valuesStdin(input), operation: o.operation });
  }

  rollback(revision: number, o: { timeoutSeconds: number; operation: string }): HelmChild {
    return this.#start(
      ["rollback", this.#target.release, String(revision), "--history-max", "30", "--timeout", `${o.timeoutSeconds}s`],
      { operation: o.operation },
    );
  }

  uninstall(o: { timeoutSeconds: number; operation: string }): HelmChild {
    return this.#start(["uninstall", this.#target.release, "--ignore-not-found", "--timeout", `${o.timeoutSeconds}s`], {
      operation: o.operation,
    });
  }

  #connection(): string[] {
    const { namespace, kubeconfig, context } = this.#target;
    return [
      ...["--namespace", namespace],
      ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig]),
      ...(context === undefined ? [] : ["--kube-context", context]),
    ];
  }

  #run(args: string[], o: { stdin?: string | undefined }): Promise<HelmResult> {
    return run(this.#binary, [...args, ...this.#connection()], o);
  }

  #start(args: string[], o: { stdin?: string | undefined; operation: string }): HelmChild {
    return start(this.#binary, [...args, ...this.#connection()], o);
  }
}

export interface HelmChild {
  /** Never rejects because of Helm's exit code. */
  result: Promise<HelmResult>;
  /** Asks Helm to stop, makes it stop, and resolves when it has. */
  stop(): Promise<void>;
}

/** What Helm said went wrong, without its decoration. */
export function helmWords(result: HelmResult): string {
  const lines = result.stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(WARNING|level=|time=|I\d{4} |W\d{4} )/.test(line));
  const text = lines
    .join("\n")
    .replace(/^Error: /, "")
    .trim();
  return text === "" ? `helm ended with code ${result.code ?? "of a signal"}` : text;
}

function chartArguments(input: ChartInput): string[] {
  return [
    input.chart,
    ...(input.base === undefined ? [] : ["--values", "-"]),
    ...input.files.flatMap((file) => ["--values", file]),
    ...input.set.flatMap((pair) => ["--set", pair]),
    ...input.setString.flatMap((pair) => ["--set-string", pair]),
  ];
}

/** Values may hold secrets, so they go through a pipe: no file, no argument that `ps` shows. */
function valuesStdin(input: ChartInput): string | undefined {
  return input.base === undefined ? undefined : JSON.stringify(input.base);
}

async function run(binary: string, args: string[], o: { stdin?: string | undefined }): Promise<HelmResult> {
  return await start(binary, args, o).result;
}

function start(binary: string, args: string[], o: { stdin?: string | undefined; operation?: string }): HelmChild {
  const child = spawn(binary, args, {
    stdio: ["pipe", "pipe", "pipe"],
    // Its own group: Ctrl-C at the terminal is for ctl, which decides what becomes of its child.
    detached: true,
    env: { ...process.env, ...(o.operation === undefined ? {} : { [operationVariable]: o.operation }) },
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8");
    child[stream].on("data", (text: string) => (output[stream] += text));
  }
  // Helm may end before it has read its values; the exit code tells more than the broken pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(o.stdin ?? "");
  const result = new Promise<HelmResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output }));
  });
  return {
    result,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), goneGraceMs);
      await result.catch(() => undefined).finally(() => clearTimeout(timer));
    },
  };
}
