import type { DeclaredCommand, Task } from "../../../commands/completion/declarations.ts";
import { completionTable, type SchemaNode } from "../../../commands/completion/table.ts";
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

function table(schema: SchemaNode = {}): string[] {
  const commands = new Map([["draw", COMMAND]]);
  return completionTable({ tasks: TASKS, commands, schema, words: { dataset: ["mnist"] } });
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

Deno.test("completionTable() lists a schema's keys and the words that they take", () => {
  const lines = table({
    properties: {
      $schema: { type: "string" },
      data: {
        properties: {
          name: { enum: ["a", "b"], description: "the set" },
          dir: { anyOf: [{ type: "string" }, { type: "null" }] },
          inner: { properties: { flip: { type: "boolean" } } },
          channels: { anyOf: [{ const: 1 }, { const: 3 }] },
        },
      },
      steps: { type: "integer", description: "steps" },
    },
  });
  assertEquals(lines.filter((line) => /^key|^value\t\t/.test(line)), [
    "key\tdata.name\tvalue\tthe set",
    "value\t\t--data.name\ta",
    "value\t\t--data.name\tb",
    "key\tdata.dir\tfolder\t",
    "value\t\t--data.dir\tnull",
    "key\tdata.inner.flip\tvalue\t",
    "value\t\t--data.inner.flip\ttrue",
    "value\t\t--data.inner.flip\tfalse",
    "key\tdata.channels\tvalue\t",
    "value\t\t--data.channels\t1",
    "value\t\t--data.channels\t3",
    "key\tsteps\tnone\tsteps",
  ]);
});
