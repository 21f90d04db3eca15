import { checkLayers } from "../../../dev/layers/main.ts";
import { assertEquals } from "../../support/assert.ts";

/** Checks files given as path: text. */
function check(files: Record<string, string>): string[] {
  return checkLayers(new Map(Object.entries(files)));
}

Deno.test("checkLayers() accepts imports of lower rooms, of the own room and of node", () => {
  assertEquals(
    check({
      "train.ts": `import { a } from "./tools/a.ts"; import b from "./config/schema.ts";`,
      "tools/a.ts": `import "../model/unet.ts"; import process from "node:process";`,
      "model/unet.ts": `import { x } from "../autograd/ops.ts"; export * from "./blocks.ts";`,
      "kernels/conv2d.ts": `import type { Gpu } from "../device/gpu.ts";`,
      "support/files.ts": `import { join } from "node:path"; Deno.openSync(join("a"));`,
      "mod.ts": `export * from "./model/unet.ts"; export * from "./training/loop.ts";`,
    }),
    [],
  );
});

const upward = "Cannot import model/unet.ts from kernels/conv2d.ts: " +
  "kernels may import only device, formats, support";

for (
  const [form, text] of [
    ["a static import", `import { unet } from "../model/unet.ts";`],
    ["an import over several lines", `import {\n  a,\n  b as c,\n} from '../model/unet.ts';`],
    ["a default and a namespace import", `import a, * as b from "../model/unet.ts";`],
    ["a type import", `import type { Unet } from "../model/unet.ts";`],
    ["an import for its effects", `import "../model/unet.ts";`],
    ["a dynamic import", `const m = await import("../model/unet.ts");`],
    ["an import in a type", `type Unet = import("../model/unet.ts").Unet;`],
    ["a re-export", `export { unet } from "../model/unet.ts";`],
    ["a re-export of everything", `export * as all from "../model/unet.ts";`],
    ["an import after a regular expression", `const r = /["'\`]/; import "../model/unet.ts";`],
    ["an import after a division", `const h = a! / 2, g = b[0]! / 2; import "../model/unet.ts";`],
    ["an import in a template", 'const s = `${`}` + (await import("../model/unet.ts")).x}`;'],
  ] as const
) {
  Deno.test(`checkLayers() refuses an upward import by name: ${form}`, () => {
    assertEquals(check({ "kernels/conv2d.ts": text }), [upward]);
  });
}

Deno.test("checkLayers() refuses an import between rooms of one rank", () => {
  assertEquals(check({ "optim/adam.ts": `import "../model/module.ts";` }), [
    "Cannot import model/module.ts from optim/adam.ts: " +
    "optim may import only autograd, kernels, device, formats, support",
  ]);
  assertEquals(check({ "formats/npy.ts": `import "../device/gpu.ts";` }), [
    "Cannot import device/gpu.ts from formats/npy.ts: formats may import only support",
  ]);
  assertEquals(check({ "support/a.ts": `import "../device/gpu.ts";` }), [
    "Cannot import device/gpu.ts from support/a.ts: support may import only files of its own",
  ]);
});

Deno.test("checkLayers() refuses imports of scripts, mod.ts, tests, bench and the outside", () => {
  assertEquals(
    check({
      "config/a.ts": `import "../train.ts";`,
      "training/a.ts": `import "../mod.ts";`,
      "tools/a.ts": `import "../mod.ts"; import "../tests/support/assert.ts";`,
      "metrics/a.ts": `import "../bench/conv.ts"; import "../../elsewhere.ts";`,
      "data/a.ts": `import "../attic/b.ts";`,
    }),
    [
      "Cannot import train.ts from config/a.ts: config may import only training, metrics, diffusion, model, optim, data, autograd, kernels, device, formats, support",
      "Cannot import mod.ts from training/a.ts: mod.ts is for users and is never imported from inside",
      "Cannot import mod.ts from tools/a.ts: mod.ts is for users and is never imported from inside",
      "Cannot import tests/support/assert.ts from tools/a.ts: nothing outside tests and bench may import tests",
      "Cannot import bench/conv.ts from metrics/a.ts: nothing outside tests and bench may import bench",
      "Cannot import ../elsewhere.ts from metrics/a.ts: imports must stay inside the repository",
      "Cannot import attic/b.ts from data/a.ts: attic is no room that imports may name",
    ],
  );
});

Deno.test("checkLayers() lets the command that runs the benchmarks reach them", () => {
  assertEquals(check({ "commands/bench/main.ts": `import "../bench/cases.ts";` }), []);
  assertEquals(check({ "commands/bench/main.ts": `import "../tests/support/gpu.ts";` }), [
    "Cannot import tests/support/gpu.ts from commands/bench/main.ts: nothing outside tests and bench may import tests",
  ]);
});

Deno.test("checkLayers() leaves tests and bench alone", () => {
  assertEquals(
    check({
      "tests/a_test.ts": `import "../mod.ts"; import "npm:zod"; navigator.gpu;`,
      "bench/a.ts": `import "../tests/reference/conv.ts"; device.createBuffer();`,
    }),
    [],
  );
});

Deno.test("checkLayers() refuses a room without a rank", () => {
  assertEquals(check({ "attic/a.ts": `import "../support/files.ts";` }), [
    "Cannot import support/files.ts from attic/a.ts: attic has no rank, add it to dev/layers/main.ts",
  ]);
});

Deno.test("checkLayers() allows packages in support, formats and config, each in one file", () => {
  assertEquals(
    check({
      "support/command_line.ts": `import "commander"; import "@scope/a/deep";`,
      "support/terminal.ts": `import "cli-table3"; import "commander/esm"; import "@scope/b";`,
      "config/schema.ts": `import * as z from "zod"; import "@scope/a";`,
      "formats/zip.ts": `import { unzip } from "npm:fflate@0.8.3";`,
      "data/images.ts": `import "jpeg-js";`,
    }),
    [
      "Cannot import commander/esm from support/terminal.ts: commander must be wrapped in one file, support/command_line.ts",
      "Cannot import @scope/a from config/schema.ts: @scope/a must be wrapped in one file, support/command_line.ts",
      "Cannot import npm:fflate@0.8.3 from formats/zip.ts: packages must be named by their bare alias from deno.json",
      "Cannot import jpeg-js from data/images.ts: only support, formats and config may name a third-party package",
    ],
  );
});

Deno.test("checkLayers() refuses a dynamic import that it cannot read", () => {
  const text = "const a = await import(name), b = await import(`../../commands/${name}.ts`);";
  assertEquals(check({ "config/a.ts": text }), [
    "Cannot check an import in config/a.ts: a dynamic import must name its module in a plain string",
  ]);
});

Deno.test("checkLayers() keeps GPU objects inside device", () => {
  const gpu = `const g = navigator.gpu;\nd.createBuffer({});\nd.createComputePipelineAsync({});`;
  const rule = "only device may ask for GPUs, make buffers or pipelines";
  assertEquals(check({ "device/gpu.ts": gpu }), []);
  assertEquals(check({ "training/loop.ts": gpu }), [
    `Cannot use navigator.gpu in training/loop.ts:1: ${rule}`,
    `Cannot use createBuffer in training/loop.ts:2: ${rule}`,
    `Cannot use createComputePipelineAsync in training/loop.ts:3: ${rule}`,
  ]);
  assertEquals(check({ "train.ts": "const { gpu } = navigator;" }), [
    `Cannot use navigator.gpu in train.ts:1: ${rule}`,
  ]);
  assertEquals(check({ "train.ts": "const n = navigator.hardwareConcurrency;" }), []);
});

for (const room of ["device", "kernels", "autograd", "model", "optim", "diffusion"]) {
  Deno.test(`checkLayers() keeps Deno, node and the console out of ${room}`, () => {
    const rule = `${room} must run in a web page, pass what it needs as an argument`;
    const text = `import { x } from "node:fs";\n\nDeno.exit(1);\nconsole.log(\`\${Deno?.args}\`);`;
    assertEquals(check({ [`${room}/a.ts`]: text }), [
      `Cannot use Deno in ${room}/a.ts:3: ${rule}`,
      `Cannot use console in ${room}/a.ts:4: ${rule}`,
      `Cannot use Deno in ${room}/a.ts:4: ${rule}`,
      `Cannot use node:fs in ${room}/a.ts:1: ${rule}`,
    ]);
  });
}

Deno.test("checkLayers() refuses a pure room's import of what uses the host, at any distance", () => {
  const files = {
    "support/files.ts": `Deno.readFileSync("x");`,
    "support/tables.ts": `import { read } from "./files.ts";`,
    "support/paths.ts": `import { join } from "node:path";`,
    "support/philox.ts": `// Deno.readFile is not used here`,
  };
  const refusal = (file: string) =>
    `Cannot import support/${file} from kernels/a.ts: kernels must run in a web page, support/${file} uses Deno or node`;
  const text = Object.keys(files).map((path) => `import "../${path}";`).join("\n");
  assertEquals(check({ ...files, "kernels/a.ts": text }), [
    refusal("files.ts"),
    refusal("tables.ts"),
    refusal("paths.ts"),
  ]);
  const types = text.replaceAll(`import "`, `import type { T } from "`);
  assertEquals(check({ ...files, "kernels/a.ts": types }), []);
  assertEquals(check({ ...files, "data/a.ts": text }), []);
});

Deno.test("checkLayers() does not mistake comments, strings, keys or names for code", () => {
  const text = `
    // import "../train.ts"; Deno.exit(); navigator.gpu
    /* import "../train.ts";
       console.log */
    const text = "import '../train.ts'; Deno.exit()", other = 'it\\'s console.log';
    const shader = \`createBuffer \${1 + \`\${"}"} Deno.\`.length} console.log\`;
    const pattern = /[/"]Deno\\.exit/g, half = (a + b) / 2 / c[0]!, q = d! / e; const Denominator = 1;
    export function process(console: number, importer = a.import("x")) { return { Deno: console }; }
    export const from = "../train.ts", host = my.Deno.x;
  `;
  assertEquals(check({ "model/a.ts": text }), []);
});
