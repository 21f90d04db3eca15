import { parseConfig } from "../../config/load.ts";
import { defineCommand, parseCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { expandHome } from "../../support/home.ts";
import { assertEquals, assertThrows } from "./assert.ts";

const HOME = (name: string) => ({ HOME: "/home/me" })[name];

Deno.test("expandHome() puts the home folder in place of a leading ~/, and nowhere else", () => {
  const cases = [
    ["~/runs/a", "/home/me/runs/a"],
    ["~", "/home/me"],
    ["~\\runs", "/home/me\\runs"],
    ["./~/runs", "./~/runs"],
    ["/a/~/b", "/a/~/b"],
    ["~backup", "~backup"],
    ["runs/a~", "runs/a~"],
  ] as const;
  for (const [path, expected] of cases) assertEquals(expandHome(path, HOME), expected);
  assertEquals(expandHome("~/a", (name) => ({ USERPROFILE: "/users/me/" })[name]), "/users/me/a");
  assertThrows(() => expandHome("~you/runs", HOME), UsageError, "only ~/ stands for a home folder");
  assertThrows(() => expandHome("~/runs", () => undefined), UsageError, "HOME must be set");
});

Deno.test("parseCommand() and parseConfig() know ~/ in options, arguments, overrides and keys", () => {
  const home = Deno.env.get("HOME")!;
  const spec = defineCommand({
    ...{ name: "toy", summary: "Toys.", examples: [], overrides: "any" },
    argument: { name: "DIR", description: "a folder" },
    options: { out: { value: "FILE", description: "a file" } },
  });
  const found = parseCommand(spec, ["--out", "~/a", "--run.dir=~/b", "~/c"]);
  if (found.kind !== "run") throw new Error("it must run");
  assertEquals(found.options.out, `${home}/a`);
  assertEquals(found.overrides, [["run.dir", `${home}/b`]]);
  assertEquals(found.argument, `${home}/c`);
  const joined = parseCommand(spec, ["--out=~/a"]);
  assertEquals(joined.kind === "run" && joined.options.out, `${home}/a`);
  assertThrows(() => parseCommand(spec, ["--run.dir=~you/b"]), UsageError, "~you");
  const text = JSON.stringify({ run: { dir: "~/r" }, data: { dir: "~/d" } });
  const { run, data } = parseConfig(text, { path: "a.json" });
  assertEquals([run.dir, data.dir], [`${home}/r`, `${home}/d`]);
});
