#!/usr/bin/env node
import { Command, Option } from "commander";
import { LabError, exitCodes } from "./errors.ts";

const append = (value: string, all: string[]): string[] => [...all, value];

const program = new Command("lab")
  .description("A real Kubernetes cluster on this machine, its add-ons and its images.")
  .enablePositionalOptions()
  .configureHelp({ showGlobalOptions: true })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.done : exitCodes.usage));

program
  .command("up")
  .description("start the cluster, or heal it: what runs is left alone")
  .option("--install", "install the Debian packages that are missing")
  .addOption(
    new Option("--addons <set>", "which add-ons: what plain mode needs, what rollout mode needs, or all")
      .choices(["core", "rollout", "all"])
      .default("all"),
  )
  .action(async (options) => (await import("./commands/up.ts")).up(options));

program
  .command("down")
  .description("remove the cluster and every trace of it from this machine")
  .action(async () => (await import("./commands/down.ts")).down());

program
  .command("reset")
  .description("empty the cluster of everybody's namespaces and data; the cluster and its add-ons stay")
  .action(async () => (await import("./commands/reset.ts")).reset());

program
  .command("status")
  .description("what runs, and what does not and why")
  .addOption(new Option("-o, --output <format>").choices(["text", "json"]).default("text"))
  .action(async (options) => {
    process.exitCode = await (await import("./commands/status.ts")).status(options);
  });

program
  .command("logs")
  .description("the log of a component of the node")
  .argument("<component>")
  .option("-f, --follow", "go on as it grows")
  .action(async (component: string, options) => {
    process.exitCode = await (await import("./commands/logs.ts")).logs(component, options);
  });

program
  .command("env")
  .description('shell lines for `eval "$(lab env)"`')
  .action(async () => (await import("./commands/env.ts")).env());

program
  .command("exec")
  .description("run a program inside the cluster's network: lab exec -- curl http://myapp.test-rollback.svc/healthz")
  .argument("<command...>")
  .passThroughOptions()
  .action(async (command: string[]) => {
    process.exitCode = await (await import("./commands/exec.ts")).exec(command);
  });

const image = program.command("image").description("images, and the lab's registry registry.local");

image
  .command("build")
  .description("build node, postgres, podinfo, app, ctl or agent, or the Dockerfile of a directory, into the registry")
  .argument("<what>", "an image's name, or a directory")
  .option("--repository <name>", "of app and ctl: where the image goes, without a tag")
  .option("--tag <tag>", "of app and ctl: default is the next YYYYMMDD.N; of a directory: the image's whole name")
  .option("--file <dockerfile>", "of a directory: default is its Dockerfile")
  .option("--build-arg <name=value>", "as the Dockerfile declares it; may be repeated", append, [])
  .option("--tag-file <file>", "write the image's tag into this file")
  .action(async (what: string, options) => (await import("./commands/image.ts")).build(what, options));

image
  .command("push")
  .description("push an image that was built here")
  .argument("<reference>")
  .action(async (reference: string) => (await import("./commands/image.ts")).push(reference));

image
  .command("list")
  .description("what the registry holds")
  .addOption(new Option("-o, --output <format>").choices(["text", "json"]).default("text"))
  .action(async (options) => (await import("./commands/image.ts")).list(options));

program
  .command("tools")
  .description("build programs of the toolchain and print the directory that holds them")
  .argument("[names...]", "all without names")
  .action(async (names: string[]) => (await import("./commands/tools.ts")).tools(names));

try {
  await program.parseAsync();
} catch (error) {
  const { message, stack, hint, name, exitCode } = error as LabError;
  const isForPeople = error instanceof LabError || name === "KubeError" || name === "WaitTimeout";
  process.stderr.write(`lab: ${isForPeople ? message : (stack ?? String(error))}\n`);
  if (isForPeople && hint) process.stderr.write(`  ${hint}\n`);
  process.exit(exitCode ?? (name === "WaitTimeout" ? exitCodes.deadline : exitCodes.unexpected));
}
