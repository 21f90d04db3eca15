import { makeTable } from "../../../commands/completion/main.ts";
import { listTasks, loadDeclarations } from "../../../commands/completion/declarations.ts";
import { completionScript, type Shell } from "../../../commands/completion/script.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, ROOT, runScript } from "../../support/runs.ts";

let table: Promise<string[]> | undefined;

/** The table of this checkout, made once. */
function theTable(): Promise<string[]> {
  return table ??= makeTable(ROOT);
}

async function has(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

/** Runs a script of a shell in a folder with runs in it that is taken for a checkout. */
async function inShell(shell: Shell, lines: string[], below = ""): Promise<string[]> {
  let out = "";
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/sub`);
    await Deno.mkdir(`${folder}/config/spectral`, { recursive: true });
    for (const name of ["deno.json", "config/smoke.json", "config/quickstart.json"]) {
      await Deno.copyFile(`${ROOT}${name}`, `${folder}/${name}`);
    }
    await Deno.writeTextFile(`${folder}/config/schema.json`, "{}");
    await Deno.writeTextFile(`${folder}/config/spectral/a.json`, "{}");
    for (const run of ["first", "grid/plain/seed-0"]) {
      await Deno.mkdir(`${folder}/runs/${run}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/runs/${run}/config.json`, "{}");
    }
    const script = `${folder}/completion`;
    await Deno.writeTextFile(script, await completionScript(shell, await theTable()));
    const given = [...STARTS[shell](script), ...lines].join("\n");
    await Deno.writeTextFile(`${folder}/try`, given);
    const { stdout, stderr } = await new Deno.Command(shell, {
      args: [...(shell === "bash" ? ["--norc"] : shell === "zsh" ? ["-f"] : ["--no-config"])]
        .concat(`${folder}/try`),
      cwd: `${folder}/${below}`,
      env: { HOME: folder },
    }).output();
    out = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  });
  return out.split("\n").filter((line) => line !== "");
}

/** What stands in for the shell's own machinery. */
const STARTS: Readonly<Record<Shell, (script: string) => string[]>> = {
  bash: (script) => [
    `complete -F _theirs deno`,
    `_theirs() { COMPREPLY=("theirs:$2"); }`,
    `source '${script}'`,
    `source '${script}'`,
    // Words are cut where readline cuts them.
    `try() {`,
    `  COMP_LINE=$1 COMP_POINT=${"${#1}"} COMP_WORDS=() COMPREPLY=()`,
    `  local rest=$1 word=`,
    `  while [ -n "$rest" ]; do`,
    `    case $rest in`,
    `      [=:\\ ]*) [ -z "$word" ] || COMP_WORDS+=("$word"); word=`,
    `        case $rest in [=:]*) COMP_WORDS+=("${"${rest:0:1}"}") ;; esac ;;`,
    `      *) word+=${"${rest:0:1}"} ;;`,
    `    esac`,
    `    rest=${"${rest:1}"}`,
    `  done`,
    `  case $1 in *[=:]) ;; *) COMP_WORDS+=("$word") ;; esac`,
    `  COMP_CWORD=$((${"${#COMP_WORDS[@]}"} - 1))`,
    `  _diffract deno "$word" ""`,
    `  printf '<%s>' "${"${COMPREPLY[@]}"}"; echo`,
    `}`,
  ],
  zsh: (script) => [
    `typeset -A _comps; _comps[deno]=_theirs`,
    `_theirs() { print -r -- theirs }`,
    `compdef() { : }`,
    `compadd() { [[ $1 == -S ]] && shift 2; print -rn -- "<${"${(j:><:)${(P)4}}"}>" }`,
    `source '${script}'`,
    `try() { words=(${"${(s: :)1}"}); [[ $1 == *' ' ]] && words+=(''); CURRENT=${"${#words}"}`,
    `  PREFIX=${"${words[-1]}"}; _diffract; print }`,
  ],
  fish: (script) => [
    `source '${script}'`,
    `function try; complete -C $argv[1] | string replace -r '\\t.*' '' | sort | string join '><'; end`,
  ],
};

Deno.test("makeTable() has every task, and every command under its task's name", async () => {
  const tasks = await listTasks(ROOT);
  const lines = await theTable();
  assertEquals(
    lines.filter((line) => line.startsWith("task\t")).map((line) => line.split("\t")[1]),
    tasks.map(({ name }) => name),
  );
  const declared = await loadDeclarations(ROOT, tasks);
  const names = tasks.map(({ name }) => name);
  for (const name of declared.keys()) {
    assert(names.includes(name), `the command ${name} is the task of no such name`);
  }
  for (const name of ["train", "sample", "doctor", "completion"]) {
    assert(lines.some((line) => line.startsWith(`option\t${name}\t--help`)), name);
  }
});

Deno.test("completion prints a script, and refuses a shell that it does not know", async () => {
  const { code, out } = await runScript("commands/completion/main.ts", ["fish"]);
  assertEquals(code, 0);
  assertStringIncludes(out, "complete -c $command");
  for (const args of [[], ["csh"]]) {
    const result = await runScript("commands/completion/main.ts", args);
    assertEquals([result.code, errorLines(result)], [2, [
      "error: Cannot print a completion script: SHELL must be one of bash, zsh, fish, got " +
      (args[0] ?? "none"),
    ]]);
  }
});

Deno.test({
  name: "completion completes tasks, options, keys, values and places in bash",
  ignore: !await has("bash"),
  fn: async () => {
    const cases: [string, string][] = [
      ["deno task trai", "<train >"],
      ["./denow task -q trai", "<train >"],
      ["deno task train --dry", "<--dry-run >"],
      ["deno task train --dry-run --dry", "<>"],
      ["deno task train --mod", "<--model.>"],
      ["deno task train --train.batchS", "<--train.batchSize=>"],
      ["deno task train --data.name=synth", "<synthetic >"],
      ["deno task train --data.flip=", "<true ><false >"],
      ["deno task train --tune c", "<cached >"],
      ["deno task train --tune=", "<off ><cached ><full >"],
      [
        "deno task train --config ",
        "<config/quickstart.json ><config/smoke.json ><config/spectral/a.json >",
      ],
      ["deno task train --config=config/q", "<config/quickstart.json >"],
      ["deno task train --data.dir=conf", "<config/>"],
      ["deno task sample --checkpoint ", "<runs/first ><runs/grid/plain/seed-0 >"],
      ["deno task sample --checkpoint config/sm", "<config/smoke.json >"],
      ["deno task report runs/first runs/g", "<runs/grid/plain/seed-0 >"],
      ["deno task features synth", "<synthetic >"],
      ["deno task completion ", "<bash ><zsh ><fish >"],
      ["deno task sample --steps ", "<>"],
      ["deno run ", "<theirs:>"],
      ["deno tas", "<theirs:tas>"],
    ];
    const lines = await inShell("bash", cases.map(([line]) => `try '${line}'`));
    assertEquals(lines, cases.map(([, expected]) => expected));
    // Tasks run in the checkout's folder, so places are listed from there.
    assertEquals(await inShell("bash", ["try 'deno task train --config con'"], "sub"), [
      "<config/quickstart.json ><config/smoke.json ><config/spectral/a.json >",
    ]);
    const elsewhere = await inShell("bash", ["cd /", "try 'deno task trai'"]);
    assertEquals(elsewhere, ["<theirs:trai>"]);
  },
});

Deno.test({
  name: "completion completes in zsh, and leaves the rest to what was there",
  ignore: !await has("zsh"),
  fn: async () => {
    const cases: [string, string][] = [
      ["deno task trai", "<train>"],
      ["denow task train --mod", "<--model.>"],
      ["deno task train --tune=f", "<--tune=full>"],
      ["deno task train --config=config/q", "<--config=config/quickstart.json>"],
      ["deno task sample --checkpoint ", "<runs/first><runs/grid/plain/seed-0>"],
      ["deno task train --data.dir=conf", "<--data.dir=config/>"],
      ["deno run ", "theirs"],
    ];
    const lines = await inShell("zsh", cases.map(([line]) => `try '${line}'`));
    assertEquals(lines, cases.map(([, expected]) => expected));
  },
});

Deno.test({
  name: "completion completes in fish",
  ignore: !await has("fish"),
  fn: async () => {
    const cases: [string, string][] = [
      ["deno task trai", "train"],
      ["denow task train --mod", "--model."],
      ["deno task train --tune=f", "--tune=full"],
      ["deno task train --config=config/q", "--config=config/quickstart.json"],
      ["deno task sample --checkpoint ", "runs/first><runs/grid/plain/seed-0"],
      ["deno task train --data.dir=conf", "--data.dir=config/"],
    ];
    const lines = await inShell("fish", cases.map(([line]) => `try '${line}'`));
    assertEquals(lines, cases.map(([, expected]) => expected));
  },
});
