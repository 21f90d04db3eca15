import type { DeclaredCommand, Task } from "../../../commands/completion/declarations.ts";
import { completionTable } from "../../../commands/completion/table.ts";
import {
  byName,
  choice,
  flag,
  integer,
  nullable,
  option,
  type Section,
  section,
  text,
} from "../../../support/options.ts";
import { assertEquals } from "../../support/assert.ts";

const COMMAND: DeclaredCommand = {
  name: "draw",
  summary: "Draws",
  options: {
    config: { value: "FILE", description: "a config" },
    outDir: { value: "DIR", description: "where\tit goes" },
    mode: { value: "M", choices: ["a", "b"], description: "how" },
    list: { value: "LIST", suggestions: ["x"], description: "what" },
    count: { value: "N", description: "images" },
    dryRun: { description: "a switch" },
  },
  arguments: [{ name: "RUN_OR_FILE", description: "" }, { name: "RUN...", description: "" }],
  overrides: "sets a key",
  examples: [],
};

const TASKS: readonly Task[] = [
  { name: "draw", description: "Draws", script: "draw.ts" },
  { name: "ok", description: "All", script: null },
];

function table(config: Section = section("", {})): string[] {
  const commands = new Map([["draw", COMMAND]]);
  return completionTable({ tasks: TASKS, commands, config, words: { dataset: ["mnist"] } });
}

Deno.test("completionTable() says what each option and argument takes", () => {
  assertEquals(table(), [
    "task\tdraw\tDraws",
    "task\tok\tAll",
    "option\tdraw\t--config\tconfig,file\ta config",
    "option\tdraw\t--out-dir\tfolder\twhere it goes",
    "option\tdraw\t--mode\tvalue\thow",
    "value\tdraw\t--mode\ta",
    "value\tdraw\t--mode\tb",
    "option\tdraw\t--list\tvalue\twhat",
    "value\tdraw\t--list\tx",
    "option\tdraw\t--count\tnone\timages",
    "option\tdraw\t--dry-run\t\ta switch",
    "option\tdraw\t--help\t\tshow the help",
    "argument\tdraw\trun,file",
    "argument\tdraw\t...run,folder",
    "overrides\tdraw",
    "argument\tok\t...file",
    "word\tdataset\tmnist",
  ]);
});

Deno.test("completionTable() lists a config's keys and the words that they take", () => {
  const lines = table(section("", {
    data: section("", {
      name: option(choice(["a", "b"]), "a", "the set"),
      dir: option(nullable(text()), null, "where"),
      inner: section("", { flip: option(flag(), true, "whether") }),
      channels: option(choice([1, 3]), 1, "channels"),
    }),
    steps: option(integer(), 1, "steps"),
  }));
  assertEquals(lines.filter((line) => /^key|^value\t\t/.test(line)), [
    "key\tdata.name\tvalue\tthe set",
    "value\t\t--data.name\ta",
    "value\t\t--data.name\tb",
    "key\tdata.dir\tfolder\twhere",
    "value\t\t--data.dir\tnull",
    "key\tdata.inner.flip\tvalue\twhether",
    "value\t\t--data.inner.flip\ttrue",
    "value\t\t--data.inner.flip\tfalse",
    "key\tdata.channels\tvalue\tchannels",
    "value\t\t--data.channels\t1",
    "value\t\t--data.channels\t3",
    "key\tsteps\tnone\tsteps",
  ]);
});

Deno.test("completionTable() lists the keys of every network once, with the words of all", () => {
  const act = (...names: string[]) => ({ act: option(choice(names), names[0]!, "activation") });
  const networks = {
    small: { options: act("relu", "silu") },
    large: { options: { ...act("silu", "gelu"), depth: option(integer(), 2, "layers") } },
  };
  const model = byName("", networks, { name: "small", about: "which" });
  assertEquals(table(section("", { model })).filter((line) => /^key|^value\t\t/.test(line)), [
    "key\tmodel.name\tvalue\twhich",
    "value\t\t--model.name\tsmall",
    "value\t\t--model.name\tlarge",
    "key\tmodel.act\tvalue\tactivation",
    "value\t\t--model.act\trelu",
    "value\t\t--model.act\tsilu",
    "value\t\t--model.act\tgelu",
    "key\tmodel.depth\tnone\tlayers",
  ]);
});
