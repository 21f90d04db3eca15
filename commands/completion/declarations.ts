/**
 * The project's commands as their scripts declare them: the tasks of deno.json, and what
 * `defineCommand` is told when a task's script is loaded. There is no second list.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CommandSpec } from "../../support/command_line.ts";
import { readFileChecked } from "../../support/files.ts";

/** A task of deno.json. */
export interface Task {
  readonly name: string;
  readonly description: string;
  /** The script that it runs and nothing else; null where it does more, or other things. */
  readonly script: string | null;
}

/** A command without the functions that read its values. */
export type DeclaredCommand = Omit<CommandSpec, "options"> & {
  readonly options: Readonly<
    Record<string, {
      readonly description: string;
      readonly value?: string;
      readonly short?: string;
      readonly choices?: readonly string[];
      readonly suggestions?: readonly string[];
    }>
  >;
};

/** The tasks of the deno.json in `root`, in its order. */
export async function listTasks(root: string): Promise<Task[]> {
  const text = new TextDecoder().decode(await readFileChecked(join(root, "deno.json")));
  const { tasks } = JSON.parse(text) as {
    tasks: Record<string, string | { description?: string; command?: string }>;
  };
  return Object.entries(tasks).map(([name, task]) => {
    const { description = "", command = "" } = typeof task === "string" ? { command: task } : task;
    const script = /^deno run (?:-\S+ )*([\w./-]+\.ts)$/.exec(command)?.[1] ?? null;
    return { name, description, script };
  });
}

/**
 * Loads the scripts of tasks in a process of its own and asks which commands they declare.
 *
 * @returns Commands by name.
 * @throws {Error} When a script cannot be loaded.
 */
export async function loadDeclarations(
  root: string,
  tasks: readonly Task[],
): Promise<Map<string, DeclaredCommand>> {
  const url = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href);
  const scripts = new Set(tasks.flatMap(({ script }) => script ?? []));
  const program = [
    ...[...scripts].map((script) => `import ${url(script)};`),
    `import { declaredCommands } from ${url("support/command_line.ts")};`,
    `console.log(JSON.stringify(declaredCommands()));`,
  ].join("\n");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", join(root, "deno.json"), "--ext=ts", "-"],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot load the commands: every task's script must load, got ${
        decoder.decode(stderr).trim()
      }`,
    );
  }
  const commands = JSON.parse(decoder.decode(stdout)) as DeclaredCommand[];
  return new Map(commands.map((command) => [command.name, command]));
}
