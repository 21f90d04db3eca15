import { join } from "node:path";
import type { ChipName } from "../../../dev/isa/chips.ts";
import { compileStep, missingTool } from "../../../dev/isa/compile.ts";
import { reportKernels, reportText } from "../../../dev/isa/report.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { ROOT } from "../../support/runs.ts";

const missing = await missingTool();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

/** The kernels in which a CIFAR-10 step spends four fifths of its time. */
const HOT = String
  .raw`^(conv2d\.(forward|input|weight)|matmul)\.tiled128x128(\+\w+)*(\.joined|\.doubled)?$`;

/** The least share of the FP32 peak that hot loops must leave. */
const FLOORS: Readonly<Record<ChipName, number>> = { navi21: 0.88, navi31: 0.82 };

for (const chip of ["navi21", "navi31"] as const) {
  Deno.test({
    name: `compileStep() finds the hot loops of a CIFAR-10 step on ${chip} lean${skipped}`,
    ignore: missing !== null,
    async fn() {
      const config = join(ROOT, "config/cifar10.json");
      const kernels = reportKernels(
        await compileStep({ config, overrides: [], match: HOT, chip }),
        chip,
      );
      assertEquals(
        [...new Set(kernels.map(({ name }) => name.replace(/\+.*|\.(joined|doubled)$/, "")))]
          .sort(),
        ["conv2d.forward", "conv2d.input", "conv2d.weight", "matmul"].map((name) =>
          `${name}.tiled128x128`
        ),
      );
      for (const { name, spilled, scratchBytes, loop } of kernels) {
        assert(loop.bound >= FLOORS[chip], `${name}: ${loop.bound}`);
        assertEquals([spilled, scratchBytes], [0, 0], name);
      }
      assertStringIncludes(reportText(kernels, chip, 1), kernels[0]!.name);
    },
  });
}

/** Small tiles, and attention as it is streamed. */
const SMALL = String.raw`^(attention|.*\.tiled32x)`;

Deno.test({
  name: `compileStep() finds half of navi31's peak or more in small tiles and attention${skipped}`,
  ignore: missing !== null,
  async fn() {
    const config = join(ROOT, "config/cifar10.json");
    const kernels = reportKernels(
      await compileStep({
        ...{ config, overrides: [], match: SMALL, chip: "navi31", variant: "tiled" },
      }),
      "navi31",
    );
    for (const { name, spilled, loop, limit } of kernels) {
      assert(loop.bound >= 0.5 || limit === "bandwidth", `${name}: ${loop.bound}`);
      assertEquals(spilled, 0, name);
    }
    const kinds = new Set(kernels.map(({ name }) => name.split(".").slice(0, 2).join(".")));
    for (const kind of ["forward", "dq", "dkdv"]) assert(kinds.has(`attention.${kind}`), kind);
    for (const kind of ["conv2d.weight", "matmul.tiled32x32"]) assert(kinds.has(kind), kind);
  },
});

Deno.test("compileStep() names what must be installed", async () => {
  const config = join(ROOT, "config/smoke.json");
  await assertRejects(
    () =>
      compileStep({ config, overrides: [], match: "", chip: "navi21", mesa: "/no/such/folder" }),
    Error,
    "apt-get install gcc libvulkan-dev mesa-vulkan-drivers",
  );
});
