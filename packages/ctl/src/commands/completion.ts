import type { Command } from "commander";
import { CtlError } from "../errors.ts";

interface Word {
  name: string;
  description: string;
  options: { flag: string; description: string }[];
}

/** A completion script, made from the commands themselves. */
export function completionScript(shell: string, program: Command): string {
  const words: Word[] = program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options, ...program.options].flatMap(({ long, description }) =>
      long === undefined || long === null ? [] : [{ flag: long, description }],
    ),
  }));
  const name = program.name();
  switch (shell) {
    case "bash":
      return bash(name, words);
    case "zsh":
      return zsh(name, words);
    case "fish":
      return fish(name, words);
    default:
      throw new CtlError("CTL_E_USAGE", `there is no completion for "${shell}"`, { next: "choose bash, zsh or fish" });
  }
}

function bash(name: string, words: Word[]): string {
  const cases = words.map((word) => `    ${word.name}) words="${word.options.map(({ flag }) => flag).join(" ")}" ;;`);
  return `_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${words.map((word) => word.name).join(" ")}"
  else
    case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function zsh(name: string, words: Word[]): string {
  const commands = words.map((word) => `    '${word.name}:${quote(word.description)}'`);
  const cases = words.map((word) => {
    const options = word.options.map(({ flag, description }) => `'${flag}[${quote(description)}]'`).join(" ");
    return `    ${word.name}) _arguments ${options} '*:file:_files' ;;`;
  });
  return `#compdef ${name}
_${name}() {
  local -a commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join("\n")}
  esac
}
compdef _${name} ${name}
`;
}

function fish(name: string, words: Word[]): string {
  const lines = words.flatMap((word) => [
    `complete -c ${name} -n __fish_use_subcommand -f -a ${word.name} -d '${quote(word.description)}'`,
    ...word.options.map(
      ({ flag, description }) =>
        `complete -c ${name} -n '__fish_seen_subcommand_from ${word.name}' -l ${flag.slice(2)} -d '${quote(description)}'`,
    ),
  ]);
  return `${lines.join("\n")}\n`;
}

/** For a single-quoted string in all three shells, and for zsh's brackets. */
function quote(text: string): string {
  return text.replaceAll("'", "").replaceAll("[", "(").replaceAll("]", ")").replaceAll(":", " -");
}
