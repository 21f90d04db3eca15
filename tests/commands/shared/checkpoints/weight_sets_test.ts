import { TIME_TABLE } from "../../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { NO_FLAGS } from "../../../../commands/shared/checkpoints/flagfile.ts";
import { importPytorchDdpm } from "../../../../commands/shared/checkpoints/pytorch_ddpm.ts";
import { type Source, sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import {
  countParts,
  describeWeights,
  findWeights,
  groupsOf,
  hasWeights,
} from "../../../../commands/shared/checkpoints/weight_sets.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { TINY_OVERRIDES, tinyStateDict } from "../../../support/pytorch_checkpoint.ts";
import { type Saved, savedF32, torchZip } from "../../../support/torch_file.ts";

type Names = ReadonlyMap<string, Saved>;

function source(value: Names): Source {
  return sourceOf("x.pt", torchZip(value));
}

/** A state_dict with words before its names. */
function under(prefix: string, seed = 1): Map<string, Saved> {
  return new Map(Array.from(tinyStateDict(seed), ([name, tensor]) => [prefix + name, tensor]));
}

const OPTIONS = { flags: NO_FLAGS, overrides: [...TINY_OVERRIDES] };
const HEAD = "head.weight";

async function headsOf(value: Names) {
  const { weights, ema } = importPytorchDdpm(source(value), OPTIONS);
  return { raw: await weights(HEAD), ema: await ema(HEAD) };
}

Deno.test("findWeights() takes off every prefix, in any order and combination", async () => {
  const plain = await headsOf(under(""));
  const words = ["module", "_orig_mod", "model", "net", "unet", "ema", "ema_model", "network"];
  const prefixes = [
    ...words,
    ...["module._orig_mod", "_orig_mod.module", "model.module._orig_mod", "ema.module"],
    ...["state_dict.model", "_forward_module.model", "_fsdp_wrapped_module.module"],
  ];
  for (const prefix of prefixes) {
    assertEquals(await headsOf(under(`${prefix}.`)), plain, prefix);
    // Dicts inside dicts make the same names.
    const [first = "", ...rest] = prefix.split(".");
    const inner = under(rest.map((word) => `${word}.`).join(""));
    assertEquals(await headsOf(new Map([[first, inner]])), plain, prefix);
  }
});

Deno.test("findWeights() takes off the words that wrappers of single layers put inside names", async () => {
  const plain = await headsOf(under(""));
  for (const wrapper of ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]) {
    const names = Array.from(
      under("module."),
      ([name, tensor]) => [name.replace(/(blocks\.\d+\.)/, `$1${wrapper}.`), tensor] as const,
    );
    assert(names.some(([name]) => name.includes(`.${wrapper}.`)));
    assertEquals(await headsOf(new Map(names)), plain, wrapper);
  }
  const twice = new Map([...under(""), ...under("_orig_mod.")]);
  assertThrows(() => findWeights(source(twice), TIME_TABLE), UsageError, "twice");
});

Deno.test("findWeights() tells weights from their average by the words before their names", async () => {
  const raw = (await headsOf(under("", 1))).raw, ema = (await headsOf(under("", 2))).raw;
  const pairs = [
    ["net_model.", "ema_model."],
    ["model.", "ema."],
    ["module.", "ema.module."],
    ["model.", "model_ema."],
    ["state_dict.unet.", "state_dict.ema_unet."],
    ["net.", "swa_model.module."],
    ["", "ema."],
    ["model._orig_mod.", "ema_0.9999."],
  ];
  for (const [net = "", average = ""] of pairs) {
    const found = await headsOf(new Map([...under(average, 2), ...under(net, 1)]));
    assertEquals(found, { raw, ema }, `${net} ${average}`);
  }
  // As lucidrains/ema-pytorch saves them: the weights once more beside their average.
  const copies = [...under("model.", 1), ...under("ema.online_model.", 1)];
  const all = new Map([...copies, ...under("ema.ema_model.", 2)]);
  assertEquals(await headsOf(all), { raw, ema });
  assertEquals(
    await headsOf(new Map([...under("online_model.", 1), ...under("ema_model.", 2)])),
    { raw, ema },
  );
});

Deno.test("findWeights() asks which of several networks is meant, and takes the one named", () => {
  const several = source(new Map([...under("a."), ...under("b.")]));
  const { message } = assertThrows(() => findWeights(several, TIME_TABLE), UsageError);
  assertEquals(
    message,
    'Cannot tell which network of x.pt to take: it must hold one, got "a.", "b."; choose by --prefix',
  );
  const { raw, others } = findWeights(several, TIME_TABLE, "b.");
  assertEquals(raw.prefix, "b.");
  assertEquals(others.length, raw.tensors.size);
  assertThrows(() => findWeights(several, TIME_TABLE, "c."), UsageError, 'it has, "a.", "b."');
});

Deno.test("describeWeights() says what was where, and groupsOf() what was left", () => {
  const found = findWeights(
    source(new Map([...under("model."), ["opt", new Map([["m", savedF32([1], [1])]])], ["x", 1]])),
    TIME_TABLE,
  );
  const count = found.raw.tensors.size;
  assertEquals(
    describeWeights(found),
    `${count} tensors under "model.", no average; they stand for it too`,
  );
  assertEquals(found.others, ["opt.m"]);
  assertEquals(groupsOf(["opt.m", "opt.v", "x"]), "opt (2 tensors), x");
  const averages = findWeights(source(under("ema.")), TIME_TABLE);
  assertEquals(
    describeWeights(averages),
    `averages alone, ${count} tensors under "ema."; they stand for the weights too`,
  );
  assert(!hasWeights(source(under("x")), TIME_TABLE));
});

Deno.test("countParts() counts parts without a gap, whatever numbers stand in names", () => {
  const names = [
    "blocks.0.a",
    "blocks.1.a",
    "blocks.1.b",
    "blocks.9007199254740991.a",
    "other.2.a",
  ];
  assertEquals(countParts(new Map(names.map((name) => [name, null])), "blocks"), 2);
});
