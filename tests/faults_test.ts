/**
 * Faults that a run may meet besides those of its disk, each against a real run: how it ends, what is
 * left, and that it goes on.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { openGpu } from "../device/open_gpu.ts";
import { NonFiniteError } from "../training/non_finite.ts";
import type { Observer } from "../training/observer.ts";
import { idxPair } from "./data/fixtures.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "./support/assert.ts";
import {
  assertOneLine,
  assertSameEnd,
  assertSaved,
  checkpointPath,
  namesBelow,
  QUIET,
  SMOKE,
  train,
} from "./support/faults.ts";
import { inFolder } from "./support/folder.ts";
import { inFolderWithCache, ROOT, smokeConfig, trainInFolder } from "./support/runs.ts";

/** A folder with MNIST's files of a few random images. */
async function writeMnist(dir: string, count: number): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for (const [split, seed] of [["train", 1], ["t10k", 2]] as const) {
    const { imageFile, labelFile } = idxPair(count, seed);
    await Deno.writeFile(join(dir, `${split}-images-idx3-ubyte`), imageFile);
    await Deno.writeFile(join(dir, `${split}-labels-idx1-ubyte`), labelFile);
  }
}

Deno.test("data that vanish while a run trains are missed by nobody, and later in one line", () =>
  inFolderWithCache(async (folder) => {
    const [data, dir, whole] = ["data", "run", "whole"].map((name) => join(folder, name));
    await writeMnist(data!, 32);
    const given = ["data.name=mnist", `data.dir=${data}`, "data.size=8", "train.checkpointEvery=2"];
    const config = await smokeConfig(...QUIET, ...given);
    await trainInFolder(config, whole!);
    const removes: Observer = {
      everySteps: 1,
      atEnd: false,
      read: async (step) => {
        if (step === 1) {
          await Deno.remove(data!, { recursive: true });
          await Deno.remove(join(folder, "cache"), { recursive: true }).catch(() => {});
        }
        return null;
      },
    };
    const stopped = await trainInFolder(config, dir!, { observers: [removes], stopAfter: 4 });
    assertEquals([stopped.step, stopped.finished], [4, false]);

    const again = await train(dir!, "--resume", ...[...QUIET, ...given].map((it) => `--${it}`));
    const line = assertOneLine(again);
    assertStringIncludes(line, `data.dir must name something that exists, got "${data}"`);
    assertStringIncludes(line, `the run is saved up to step 4 in ${checkpointPath(dir!, 4)}`);
    await assertSaved(dir!, [4, 2]);

    await writeMnist(data!, 32);
    assertEquals((await trainInFolder(config, dir!, { resume: true })).finished, true);
    await assertSameEnd(dir!, whole!, 6);
  }));

Deno.test("a lost device ends a run in one line, keeps what is saved and hangs nowhere", async () => {
  for (const moment of ["while training", "in a preview", "while saving"]) {
    await inFolder(async (dir) => {
      const gpu = await openGpu({ platform: Deno.build.os });
      const lose = () => {
        gpu.device.destroy();
        return Promise.resolve(null);
      };
      const loses: Observer = {
        everySteps: moment === "in a preview" ? 3 : 5,
        atEnd: false,
        read: (step) => step < 3 || moment === "while saving" ? Promise.resolve(null) : lose(),
        ...(moment === "in a preview" ? { preview: () => void lose() } : {}),
      };
      const config = await smokeConfig("train.evalEvery=0", "train.checkpointEvery=2");
      const lines: string[] = [];
      const options = { gpu, observers: [loses], lines };
      if (moment === "while saving") {
        const original = gpu.readF32.bind(gpu);
        let reads = 0;
        gpu.readF32 = async (tensor) => {
          // The second checkpoint, a few tensors in.
          if (tensor.label.startsWith("averaged weights") && ++reads > 150) await lose();
          return await original(tensor);
        };
      }
      const error = await assertRejects(() => trainInFolder(config, dir, options));
      const saved = moment === "while training" ? 4 : 2;
      assertMatch(
        error.message,
        /^GPU device lost \(destroyed\): [^;]+; the run is saved up to step \d in /,
      );
      await assertSaved(dir, saved === 4 ? [4, 2] : [2]);
      const resumed = await trainInFolder(config, dir, { resume: true });
      assertEquals(resumed.finished, true);
    });
  }
});

Deno.test("a lost device ends the process with code 1", () =>
  inFolder(async (folder) => {
    const script = join(folder, "lose.ts");
    await Deno.writeTextFile(
      script,
      `import { runMain } from ${JSON.stringify(`file://${ROOT}support/errors.ts`)};
      import { openScriptGpu } from ${JSON.stringify(`file://${ROOT}commands/shared/gpu.ts`)};
      await runMain(async () => {
        const gpu = await openScriptGpu();
        setTimeout(() => gpu.device.destroy(), 50);
        await gpu.health.guard(() => new Promise(() => setInterval(() => {}, 1000)));
      });`,
    );
    const { code, out, err } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `--config=${ROOT}deno.json`, script],
      env: { NO_COLOR: "1" },
    }).output().then(({ code, stdout, stderr }) => {
      const decoder = new TextDecoder();
      return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
    });
    assertStringIncludes(assertOneLine({ code, out, err }), "error: GPU device lost (destroyed)");
  }));

Deno.test("an error that the device makes in silence ends a run before anything is saved of it", () =>
  inFolder(async (dir) => {
    const gpu = await openGpu({ platform: Deno.build.os });
    const buffer = gpu.createBuffer(64, "small");
    const errs: Observer = {
      everySteps: 3,
      atEnd: false,
      read: () => {
        gpu.device.queue.writeBuffer(buffer, 128, new Uint8Array(16));
        return Promise.resolve(null);
      },
    };
    const config = await smokeConfig(...QUIET, "train.checkpointEvery=1");
    const error = await assertRejects(() => trainInFolder(config, dir, { gpu, observers: [errs] }));
    assertMatch(
      error.message,
      /^GPU error while [^:]+: Copy at offset 128 .*saved up to step 2 in /,
    );
    await assertSaved(dir, [2, 1]);
    gpu.destroy();
  }));

Deno.test("a checkpoint that was cut short or torn is passed over for the one before it", () =>
  inFolder(async (folder) => {
    const [dir, whole] = [join(folder, "run"), join(folder, "whole")];
    const args = [...QUIET.map((it) => `--${it}`), "--train.checkpointEvery=2"];
    await train(whole, ...args);
    for (const damage of ["cut", "zeros", "empty"]) {
      await Deno.remove(dir, { recursive: true }).catch(() => {});
      await train(dir, ...args, "--train.steps=5");
      const path = checkpointPath(dir, 5);
      const bytes = await Deno.readFile(path);
      const half = bytes.length >> 1;
      await Deno.writeFile(
        path,
        damage === "cut"
          ? bytes.subarray(0, half)
          : damage === "zeros"
          ? bytes.fill(0, half)
          : new Uint8Array(),
      );
      // A write that a kill cut short.
      await Deno.writeFile(join(dirname(path), ".step-000006.safetensors.7.1.tmp"), bytes);
      const { code, out, err } = await train(dir, "--resume", "--train.steps=6");
      assertEquals(code, 0, err);
      assertMatch(
        out,
        new RegExp(`Cannot read checkpoint ${path}: .*; using ${checkpointPath(dir, 4)} instead`),
      );
      await assertSameEnd(dir, whole, 6);
      assertEquals(namesBelow(dir).filter((name) => name.endsWith(".tmp")), []);
    }
  }));

Deno.test("checkpoints of which none is whole are said to be so, and not to go on from", () =>
  inFolder(async (dir) => {
    const args = QUIET.map((it) => `--${it}`);
    await train(dir, ...args, "--train.steps=3");
    const path = checkpointPath(dir, 3);
    await Deno.truncate(path, 1000);
    const line = assertOneLine(await train(dir, "--resume"), 1);
    assertStringIncludes(line, "Cannot use any checkpoint in ");
    assertStringIncludes(line, `Cannot read checkpoint ${path}: `);
    assertMatch(line, /put a whole one back, or start another run by --run\.dir=FOLDER$/);
  }));

Deno.test("a config edited between runs is refused where it matters, and taken where it does not", () =>
  inFolder(async (dir) => {
    const args = QUIET.map((it) => `--${it}`);
    await train(dir, ...args, "--train.steps=3");
    const path = join(dir, "config.json");
    const before = await Deno.readTextFile(path);
    const edit = (from: string, to: string) => {
      assertStringIncludes(before, from);
      return Deno.writeTextFile(path, before.replace(from, to));
    };
    await edit('"lr": 0.001', '"lr": 0.002');
    const line = assertOneLine(await train(dir, "--resume"), 2);
    assertStringIncludes(
      line,
      `Cannot resume: ${path} was edited, optim.lr 0.001 to 0.002; this must`,
    );
    assertStringIncludes(line, "put it back, or start a new run");
    assertStringIncludes(line, "free to change are train.steps, run.dir");
    await assertSaved(dir, [3]);

    // Another network, into which the checkpoint would not fit.
    await edit('"channels": 8,', '"channels": 16,');
    assertStringIncludes(
      assertOneLine(await train(dir, "--resume"), 2),
      `Cannot resume: ${path} was edited, model.channels 8 to 16; this must`,
    );

    await edit('"lr": 0.001', '"lr": 0.001,,');
    assertStringIncludes(assertOneLine(await train(dir, "--resume"), 2), path);

    await edit('"steps": 3', '"steps": 4');
    const longer = await train(dir, "--resume");
    assertEquals(longer.code, 0, longer.err);
    assertStringIncludes(longer.out, "note: changed since step 3: train.steps 3 to 4");
    assertStringIncludes(longer.out, "note: the run goes on with its own config where");
    assertStringIncludes(longer.out, "train.steps 4, not 6");

    await Deno.remove(path);
    const without = await train(dir, "--resume", "--train.steps=5");
    assertEquals(without.code, 0, without.err);
    assertStringIncludes(without.out, `note: ${path} is missing; going on with the config in`);
    assertEquals(JSON.parse(await Deno.readTextFile(path)).train.steps, 5);
  }));

Deno.test("a state that is not finite is never saved, and named", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...QUIET, "train.checkpointEvery=1", "train.logEvery=0");
    const name = "middle.0.conv1.weight";
    const error = await assertRejects(
      () =>
        trainInFolder(config, dir, {
          observe: ({ gpu, state }) => {
            const overflows: Observer = {
              everySteps: 3,
              atEnd: false,
              // Finite, and saved with step 3; the next step makes the weights infinite by it.
              read: () => {
                const moments = state.firstMoments.get(name);
                const values = new Float32Array(moments.shape.reduce((a, b) => a * b, 1));
                gpu.write(moments, values.fill(3e38, 7, 9));
                return Promise.resolve(null);
              },
            };
            return Promise.resolve([overflows]);
          },
        }),
      NonFiniteError,
    );
    assertMatch(
      error.message,
      /^Cannot save step 4: model\/middle\.0\.conv1\.weight must be finite, got 2 of [\d,]+ values that are not; in step 4 the first non-finite tensor is the weights of middle\.0\.conv1\.weight \(adam/,
    );
    assertStringIncludes(error.message, `the last good checkpoint is ${checkpointPath(dir, 3)}`);
    await assertSaved(dir, [3, 2]);
  }));

Deno.test("a second signal ends a run at once with code 130", {
  ignore: Deno.build.os === "windows",
}, () =>
  inFolder(async (dir) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", `--config=${ROOT}deno.json`, `${ROOT}train.ts`, ...SMOKE],
        ...[`--run.dir=${dir}`, ...QUIET.map((it) => `--${it}`)],
        // One preview that takes minutes: the first signal can't be obeyed soon.
        ...["--train.steps=1000000", "--train.sampleEvery=2", "--train.sampleCount=4096"],
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const reader = child.stderr.pipeThrough(new TextDecoderStream() as never).getReader();
    const readUntil = async (part: string) => {
      for (let text = ""; !text.includes(part);) {
        const { value, done } = await reader.read();
        assert(!done, text);
        text += value;
      }
    };
    await readUntil("train ");
    child.kill("SIGINT");
    await readUntil("once more to quit at once");
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    await reader.cancel();
  }));
