import { fileURLToPath } from "node:url";
import { defineCommand, folderNote, parseCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "./assert.ts";

const command = defineCommand({
  name: "draw",
  summary: "Draw samples from a checkpoint",
  description: "Uses the EMA weights.",
  options: {
    checkpoint: { value: "RUN_OR_FILE", description: "what to load" },
    steps: {
      value: "N",
      short: "n",
      description: "steps",
      parse: integer({ min: 1 }),
      default: 50,
    },
    sampler: { value: "NAME", description: "solver", choices: ["ddpm", "ddim"], default: "ddpm" },
    outFile: { value: "FILE", description: "the picture", default: "grid.png" },
    dryRun: { description: "only say what would be done" },
  },
  argument: { name: "dir", description: "a folder" },
  overrides: "replaces any key of the config",
  examples: [{ args: "--steps 10", does: "draws in ten steps" }],
});

function run(...args: string[]) {
  const parsed = parseCommand(command, args);
  assert(parsed.kind === "run");
  return parsed;
}

/** The message, which must be one line. */
function refusal(...args: string[]): string {
  const { message } = assertThrows(() => parseCommand(command, args), UsageError);
  assert(!message.includes("\n"), message);
  return message;
}

Deno.test("parseCommand() gives defaults, undefined and false for what is absent", () => {
  assertEquals(run().options, {
    checkpoint: undefined,
    steps: 50,
    sampler: "ddpm",
    outFile: "grid.png",
    dryRun: false,
  });
  assertEquals(run().argument, undefined);
});

Deno.test("parseCommand() reads values with types that follow the declaration", () => {
  const { options, argument } = run(
    ..."--checkpoint runs/a -n 7 --sampler=ddim --out-file x.png --dry-run golden".split(" "),
  );
  const steps: number = options.steps;
  const sampler: "ddpm" | "ddim" = options.sampler;
  const checkpoint: string | undefined = options.checkpoint;
  const dryRun: boolean = options.dryRun;
  assertEquals([steps, sampler, checkpoint, dryRun], [7, "ddim", "runs/a", true]);
  assertEquals(options.outFile, "x.png");
  assertEquals(argument, "golden");
});

Deno.test("parseCommand() takes a switch whose name begins with no as it stands", () => {
  const spec = defineCommand({
    name: "draw",
    summary: "Draw",
    options: { noClip: { description: "leave it unclipped" } },
    examples: [],
  });
  for (const [args, given] of [[[], false], [["--no-clip"], true]] as const) {
    const parsed = parseCommand(spec, args);
    assert(parsed.kind === "run");
    assertEquals(parsed.options.noClip, given);
  }
});

Deno.test("parseCommand() hands dotted overrides on in order, text untouched", () => {
  const { overrides, options } = run(
    "--train.batchSize=64",
    "--steps",
    "9",
    "--model.mult=[1,2]",
    "--run.dir=",
    "--data.note=a=b c\n.d",
  );
  assertEquals(overrides, [
    ["train.batchSize", "64"],
    ["model.mult", "[1,2]"],
    ["run.dir", ""],
    ["data.note", "a=b c\n.d"],
  ]);
  assertEquals(options.steps, 9);
});

Deno.test("parseCommand() refuses an override without = or without a proper path", () => {
  assertEquals(
    refusal("--train.steps", "3"),
    'Cannot read --train.steps: an override must carry its value after "=", as in --train.steps=VALUE',
  );
  for (const path of ["train.", "train..steps", "1a.b", "train.a-b"]) {
    assertStringIncludes(refusal(`--${path}=3`), `Cannot read --${path}: an override must name`);
  }
});

Deno.test("parseCommand() leaves dots alone in values, arguments and after --", () => {
  const { options, overrides } = run("--out-file=a.b.png", "--checkpoint", "./x.y");
  assertEquals([options.outFile, options.checkpoint, overrides.length], ["a.b.png", "./x.y", 0]);
  assertEquals(run("--", "--a.b=c").argument, "--a.b=c");
});

Deno.test("parseCommand() refuses overrides where the command has none", () => {
  const { overrides: _, ...plain } = command;
  assertThrows(
    () => parseCommand(plain, ["--train.steps=3"]),
    UsageError,
    "Cannot run draw: --train.steps must be a known option, see --help",
  );
});

Deno.test("parseCommand() refuses a value after an option that has none, and says so", () => {
  assertEquals(
    refusal("--dry-run=runs/a"),
    'Cannot run draw: --dry-run must have no value, got "runs/a", see --help',
  );
  const train = { ...command, options: { resume: { description: "", valueBelongsTo: "run.dir" } } };
  const { argument: _, ...bare } = train;
  for (const args of [["--resume=runs/a"], ["--resume", "runs/a"]]) {
    assertThrows(() => parseCommand(bare, args), UsageError, "did you mean --run.dir=runs/a?");
  }
  assertEquals(refusal("--dry-ru=1").includes("--dry-ru must be a known option"), true);
});

Deno.test("parseCommand() suggests the nearest option", () => {
  assertEquals(
    refusal("--stepz", "3"),
    "Cannot run draw: --stepz must be a known option, did you mean --steps?, see --help",
  );
  assertEquals(refusal("-x"), "Cannot run draw: -x must be a known option, see --help");
});

Deno.test("parseCommand() says what is wrong with a value, an argument or their number", () => {
  const cases: [args: string[], reason: string][] = [
    [["--steps", "many"], '--steps must be an integer of at least 1, got "many"'],
    [["-n", "0"], '--steps must be an integer of at least 1, got "0"'],
    [["--sampler", "euler"], '--sampler must be one of ddpm, ddim, got "euler"'],
    [["--steps"], "--steps must have a value, as in --steps N, got none"],
    [["--out-file"], "--out-file must have a value, as in --out-file FILE, got none"],
    [["a", "b"], 'it must have at most 1 argument, got "a", "b"'],
  ];
  for (const [args, reason] of cases) {
    assertEquals(refusal(...args), `Cannot run draw: ${reason}, see --help`);
  }
});

Deno.test("parseCommand() refuses empty values and arguments, which would name nothing", () => {
  const reason = (text: string) => `Cannot run draw: ${text}, see --help`;
  for (const option of ["checkpoint", "steps", "sampler", "out-file"]) {
    const text = reason(`--${option} must have a value, got ""`);
    assertEquals([refusal(`--${option}`, ""), refusal(`--${option}=`)], [text, text]);
  }
  assertEquals(refusal(""), reason('an argument must not be empty, got ""'));
});

Deno.test("parseCommand() asks for a required option by name", () => {
  const strict = defineCommand({
    name: "judge",
    summary: "Judge",
    options: { config: { value: "FILE", description: "config", required: true } },
    examples: [],
  });
  assertThrows(
    () => parseCommand(strict, []),
    UsageError,
    "Cannot run judge: --config FILE must be given",
  );
  const parsed = parseCommand(strict, ["--config", "a.json"]);
  assert(parsed.kind === "run");
  const config: string = parsed.options.config;
  assertEquals(config, "a.json");
});

Deno.test("parseCommand() gives the help with options, defaults, overrides and examples", () => {
  const parsed = parseCommand(command, ["--help"]);
  assert(parsed.kind === "help");
  for (
    const part of [
      "Usage: deno task draw [options] [--dotted.path=value ...] [dir]",
      "Draw samples from a checkpoint",
      "Uses the EMA weights.",
      "-n, --steps <N>",
      "(default: 50)",
      '(choices: "ddpm", "ddim"',
      "--out-file <FILE>",
      "--dry-run",
      "-h, --help",
      "a folder",
      "--dotted.path=value",
      "replaces any key of the config",
      "deno task draw --steps 10\n      draws in ten steps",
    ]
  ) assertStringIncludes(parsed.text, part);
});

Deno.test("runCommand() prints help on stdout with 0 and wrong use on stderr with 2", async () => {
  const wrapper = fileURLToPath(new URL("../../support/command_line.ts", import.meta.url));
  const program = `import { runCommand } from ${JSON.stringify("file://" + wrapper)};
    const spec = { name: "x", summary: "Does x", options: {}, examples: [] };
    await runCommand(spec, () => { console.log("ran"); return 5; }, JSON.parse(Deno.args[0]));`;
  const outcome = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program, JSON.stringify(args)],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { NO_COLOR: "1" },
    }).output();
    return [code, new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)] as const;
  };
  const [ran, help, wrong] = await Promise.all([outcome(), outcome("--help"), outcome("--y")]);
  assertEquals(ran, [5, "ran\n", ""]);
  assertEquals([help[0], help[2]], [0, ""]);
  assertStringIncludes(help[1], "Usage: deno task x");
  assertEquals(wrong, [2, "", "error: Cannot run x: --y must be a known option, see --help\n"]);
});

Deno.test("parseCommand() knows a config that lacks its option", () => {
  const spec = defineCommand({
    name: "train",
    summary: "Train",
    options: { config: { value: "FILE", description: "the config" } },
    examples: [],
  });
  const { message } = assertThrows(() => parseCommand(spec, ["config/a.json"]), UsageError);
  assertEquals(
    message,
    'Cannot run train: it must have no argument, got "config/a.json", did you mean --config config/a.json?, see --help',
  );
  const other = assertThrows(() => parseCommand(spec, ["a.txt"]), UsageError);
  assert(!other.message.includes("did you mean"), other.message);
});

Deno.test("folderNote() speaks to who stands below the folder that tasks run in", () => {
  const expected = "note: tasks run in /a/b; paths are relative to it, not to /a/b/c/d";
  assertEquals(folderNote("/a/b/c/d", "/a/b"), expected);
  for (const started of [undefined, "/a/b", "/a/b/", "/a", "/a/bc", "/elsewhere"]) {
    assertEquals(folderNote(started, "/a/b"), null);
  }
});
