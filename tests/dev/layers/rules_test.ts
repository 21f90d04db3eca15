import { posix } from "node:path";
import type { Import } from "../../../dev/layers/imports.ts";
import { checkImports } from "../../../dev/layers/rules.ts";
import { assertEquals } from "../../support/assert.ts";

/** Checks files given as path: what they import; "type " before a specifier says that it is erased. */
function check(files: Record<string, readonly string[]>): string[] {
  return checkImports(
    Object.entries(files).flatMap(([from, written]) =>
      written.map((text): Import => {
        const specifier = text.replace(/^type /, "");
        const place = posix.normalize(posix.join(posix.dirname(from), specifier));
        const outside = place.startsWith("..") ? `file:///${place.slice(3)}` : place;
        const to = specifier.startsWith(".") ? outside : specifier;
        return { from, to, specifier, typeOnly: text !== specifier };
      })
    ),
  );
}

Deno.test("checkImports() accepts imports of lower rooms, of the own room and of node", () => {
  assertEquals(
    check({
      "train.ts": ["./commands/shared/a.ts", "./commands/train/a.ts", "./config/schema.ts"],
      "commands/verify/a.ts": ["../../model/unet.ts", "node:process", "./b.ts", "../shared/a.ts"],
      "run_log/a.ts": ["../config/schema.ts"],
      "lab.ts": ["./lab/a.ts", "./run_log/a.ts", "./training/loop.ts"],
      "lab/a.ts": ["./b.ts", "../commands/shared/a.ts", "../config/schema.ts"],
      "dev/soak/main.ts": ["../../commands/train/a.ts", "../fuzz/mutate.ts"],
      "model/unet.ts": ["../autograd/ops.ts", "./blocks.ts"],
      "kernels/conv2d.ts": ["type ../device/gpu.ts"],
      "support/files.ts": ["node:path"],
      "mod.ts": ["./model/unet.ts", "./training/loop.ts"],
    }),
    [],
  );
});

Deno.test("checkImports() refuses an upward import by name, of types too", () => {
  const refusal = "Cannot import model/unet.ts from kernels/conv2d.ts: " +
    "kernels may import only device, formats, support";
  assertEquals(check({ "kernels/conv2d.ts": ["../model/unet.ts"] }), [refusal]);
  assertEquals(check({ "kernels/conv2d.ts": ["type ../model/unet.ts"] }), [refusal]);
});

Deno.test("checkImports() refuses an import between rooms of one rank", () => {
  assertEquals(check({ "optim/adam.ts": ["../model/module.ts"] }), [
    "Cannot import model/module.ts from optim/adam.ts: " +
    "optim may import only autograd, kernels, device, formats, support",
  ]);
  assertEquals(check({ "formats/npy.ts": ["../device/gpu.ts"] }), [
    "Cannot import device/gpu.ts from formats/npy.ts: formats may import only support",
  ]);
  assertEquals(check({ "support/a.ts": ["../device/gpu.ts"] }), [
    "Cannot import device/gpu.ts from support/a.ts: support may import only files of its own",
  ]);
});

Deno.test("checkImports() refuses imports of scripts, faces, tests, bench and the outside", () => {
  assertEquals(
    check({
      "config/a.ts": ["../train.ts"],
      "training/a.ts": ["../mod.ts"],
      "commands/a/a.ts": ["../../lab.ts", "../../tests/support/assert.ts", "../../dev/a.ts"],
      "metrics/a.ts": ["../bench/conv.ts", "../../elsewhere.ts"],
      "data/a.ts": ["../attic/b.ts"],
      "attic/a.ts": ["../support/files.ts"],
    }),
    [
      "Cannot import train.ts from config/a.ts: config may import only training, metrics, diffusion, model, optim, data, autograd, kernels, device, formats, support",
      "Cannot import mod.ts from training/a.ts: mod.ts is for users and is never imported from inside",
      "Cannot import lab.ts from commands/a/a.ts: lab.ts is for users and is never imported from inside",
      "Cannot import tests/support/assert.ts from commands/a/a.ts: nothing outside tests and bench may import tests",
      "Cannot import dev/a.ts from commands/a/a.ts: the scripts may import only run_log, config, training, metrics, diffusion, model, optim, data, autograd, kernels, device, formats, support",
      "Cannot import bench/conv.ts from metrics/a.ts: nothing outside tests and bench may import bench",
      "Cannot import file:///elsewhere.ts from metrics/a.ts: imports must stay inside the repository",
      "Cannot import attic/b.ts from data/a.ts: attic is no room that imports may name",
      "Cannot import support/files.ts from attic/a.ts: attic has no rank, add it to dev/layers/rooms.ts",
    ],
  );
});

Deno.test("checkImports() keeps a verb to its own folder and the shared one", () => {
  assertEquals(
    check({
      "train.ts": ["./commands/profile/a.ts"],
      "commands/verify/a.ts": ["../bench/main.ts"],
      "commands/shared/a.ts": ["../verify/b.ts"],
      "lab/a.ts": ["../commands/verify/b.ts", "../train.ts"],
    }),
    [
      "Cannot import commands/profile/a.ts from train.ts: of the commands it may import only commands/train and commands/shared",
      "Cannot import commands/bench/main.ts from commands/verify/a.ts: of the commands it may import only commands/verify and commands/shared",
      "Cannot import commands/verify/b.ts from commands/shared/a.ts: of the commands it may import only commands/shared",
      "Cannot import commands/verify/b.ts from lab/a.ts: of the commands it may import only commands/shared",
      "Cannot import train.ts from lab/a.ts: of the commands it may import only commands/shared",
    ],
  );
});

Deno.test("checkImports() lets the command that runs the benchmarks reach them", () => {
  assertEquals(check({ "commands/bench/main.ts": ["../../bench/cases.ts"] }), []);
  assertEquals(check({ "commands/bench/main.ts": ["../../tests/support/gpu.ts"] }), [
    "Cannot import tests/support/gpu.ts from commands/bench/main.ts: nothing outside tests and bench may import tests",
  ]);
  assertEquals(check({ "bench/a.ts": ["../tests/reference/conv.ts", "../mod.ts"] }), []);
});

Deno.test("checkImports() allows packages in support, formats and config, each in one file", () => {
  assertEquals(
    check({
      "support/command_line.ts": ["commander", "@scope/a/deep"],
      "support/terminal.ts": ["cli-table3", "commander/esm", "@scope/b"],
      "config/schema.ts": ["zod", "@scope/a"],
      "formats/zip.ts": ["npm:fflate@0.8.3"],
      "data/images.ts": ["jpeg-js"],
    }),
    [
      "Cannot import commander/esm from support/terminal.ts: commander must be wrapped in one file, support/command_line.ts",
      "Cannot import @scope/a from config/schema.ts: @scope/a must be wrapped in one file, support/command_line.ts",
      "Cannot import npm:fflate@0.8.3 from formats/zip.ts: packages must be named by their bare alias from deno.json",
      "Cannot import jpeg-js from data/images.ts: only support, formats and config may name a third-party package",
    ],
  );
});

for (const room of ["device", "kernels", "autograd", "model", "optim", "diffusion"]) {
  Deno.test(`checkImports() keeps node and files that are not for web pages out of ${room}`, () => {
    assertEquals(
      check({ [`${room}/a.ts`]: ["node:fs", "../support/files.ts", "../support/philox.ts"] }),
      [
        `Cannot import node:fs from ${room}/a.ts: ${room}/a.ts must run in a web page`,
        `Cannot import support/files.ts from ${room}/a.ts: ${room}/a.ts must run in a web page, and support/files.ts is not among the files that do`,
      ],
    );
    assertEquals(check({ [`${room}/a.ts`]: ["type ../support/files.ts"] }), []);
  });
}

Deno.test("checkImports() holds what pure rooms import from others to the same", () => {
  assertEquals(check({ "support/philox.ts": ["./files.ts"] }), [
    "Cannot import support/files.ts from support/philox.ts: support/philox.ts must run in a web page, and support/files.ts is not among the files that do",
  ]);
});

Deno.test("checkImports() refuses a circle by the names along it, of types too", () => {
  assertEquals(
    check({
      "kernels/a.ts": ["./b.ts"],
      "kernels/b.ts": ["type ./c.ts", "../device/gpu.ts"],
      "kernels/c.ts": ["./a.ts"],
    }),
    ["Cannot import in a circle: kernels/a.ts -> kernels/b.ts -> kernels/c.ts -> kernels/a.ts"],
  );
});
