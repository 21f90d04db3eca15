import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { scheduleFromBetas } from "../../diffusion/schedule.ts";
import { fusedMultiplyAdd, torchLinspace } from "../../diffusion/torch_linspace.ts";
import { assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";

const published = { timesteps: 1000, betaStart: 1e-4, betaEnd: 0.02 };

/** Values at timesteps 0, 1, 500 and 999, computed in f64 by PyTorch and NumPy. */
const recorded: Record<"linear-torch" | "linear" | "cosine", Record<string, number[]>> = {
  "linear-torch": {
    betas: [
      9.999999747378752e-5,
      0.00011991991777904332,
      0.010059960186481476,
      0.019999999552965164,
    ],
    cumprod: [0.9999000000025262, 0.9997800920767387, 0.07779665501042406, 4.035830672512217e-5],
    fromX0: [1, 0.5452915013476023, 0.003058057067782359, 0.0001283514987000874],
    fromXt: [0, 0.45470849715339745, 0.9941043506634695, 0.9899486784931391],
    large: [-9.816725157189534, -9.028686389801894, -4.59919207192459, -3.912023027779888],
    small: [-9.816725157189534, -9.816725157189534, -4.600049717447167, -3.9120238514523633],
  },
  "linear": {
    betas: [0.0001, 0.00011991991991991993, 0.010059959959959959, 0.02],
    cumprod: [0.9999, 0.9997800920720721, 0.07779665836502389, 4.035829765375676e-5],
    fromX0: [1.0000000000001101, 0.5452914995102903, 0.003058057075629619, 0.00012835148717224682],
    fromXt: [0, 0.4547084989905303, 0.9941043507567258, 0.9899486782675173],
    large: [-9.81672513529567, -9.028686371949341, -4.599192094441729, -3.912023005428146],
    small: [-9.81672513529567, -9.81672513529567, -4.600049739984907, -3.9120238291004545],
  },
  "cosine": {
    betas: [4.128422482196914e-5, 4.614175273665033e-5, 0.003155691441585007, 0.999],
    cumprod: [0.999958715775178, 0.9999125759273678, 0.49228517244880304, 2.4287669070348567e-9],
    fromX0: [1, 0.5277814093344871, 0.004367866899526329, 0.0015568917154901703],
    fromXt: [0, 0.47221859042675934, 0.9953562794552251, 0.03162269987413465],
    large: [-10.734082532465003, -9.983792318583204, -5.758547649604235, -0.0010005003335835344],
    small: [-10.734082532465003, -10.734082532465003, -5.761621845147288, -0.0010029266746731796],
  },
};

const probe = (table: Float64Array) => [0, 1, 500, 999].map((t) => table[t]!);

for (const schedule of ["linear-torch", "linear", "cosine"] as const) {
  Deno.test(`makeSchedule() gives the recorded tables of ${schedule}`, () => {
    const tables = makeSchedule({ ...published, schedule });
    const posterior = makePosterior(tables);
    const expected = recorded[schedule];
    const actual = {
      betas: tables.betas,
      cumprod: tables.alphasCumprod,
      fromX0: posterior.meanFromX0,
      fromXt: posterior.meanFromXt,
      large: reverseLogVariance(tables, "fixedlarge"),
      small: reverseLogVariance(tables, "fixedsmall"),
    };
    for (const [name, table] of Object.entries(actual)) {
      assertEquals(table.length, 1000);
      assertAllClose(probe(table), expected[name]!, { rtol: 1e-12, atol: 0, name });
    }
  });
}

Deno.test("makeSchedule() relates its tables as their definitions say", () => {
  const s = makeSchedule({ timesteps: 7, schedule: "linear", betaStart: 0.1, betaEnd: 0.7 });
  let product = 1;
  for (let t = 0; t < 7; t++) {
    assertEquals(s.alphasCumprodPrev[t], product);
    product *= 1 - s.betas[t]!;
    assertAllClose(
      [
        s.alphas[t]!,
        s.alphasCumprod[t]!,
        s.sqrtAlphasCumprod[t]! ** 2,
        s.sqrtOneMinusAlphasCumprod[t]! ** 2,
        s.sqrtRecipAlphasCumprod[t]! ** 2,
        s.sqrtRecipm1AlphasCumprod[t]! ** 2,
      ],
      [1 - s.betas[t]!, product, product, 1 - product, 1 / product, 1 / product - 1],
      { rtol: 1e-14, atol: 0 },
    );
  }
});

Deno.test("makePosterior() is the product of the two Gaussians of Bayes' rule", () => {
  const s = makeSchedule({ timesteps: 12, schedule: "linear", betaStart: 0.01, betaEnd: 0.5 });
  const { meanFromX0, meanFromXt, variance } = makePosterior(s);
  for (let t = 1; t < 12; t++) {
    // Precisions add: x_t given x_{t-1} has alpha / beta, x_{t-1} given x_0 has 1 / (1 - A_{t-1}).
    const fromStep = s.alphas[t]! / s.betas[t]!;
    const fromStart = 1 / (1 - s.alphasCumprodPrev[t]!);
    const expected = 1 / (fromStep + fromStart);
    assertAllClose(
      [variance[t]!, meanFromXt[t]!, meanFromX0[t]!],
      [
        expected,
        expected * Math.sqrt(s.alphas[t]!) / s.betas[t]!,
        expected * Math.sqrt(s.alphasCumprodPrev[t]!) * fromStart,
      ],
      { rtol: 1e-12, atol: 0 },
    );
  }
});

Deno.test("makeSchedule() refuses a single timestep and betas outside (0, 1)", () => {
  const options = { ...published, schedule: "linear" } as const;
  assertThrows(() => makeSchedule({ ...options, timesteps: 1 }), RangeError, "timesteps must");
  assertThrows(() => makeSchedule({ ...options, betaEnd: 1 }), RangeError, "beta 999 must");
  assertThrows(() => scheduleFromBetas(Float64Array.of(0.1, NaN)), RangeError, "beta 1 must");
});

Deno.test("torchLinspace() is bit for bit what PyTorch gives, whole blocks and tail", () => {
  // torch.linspace(1e-3, 0.4, 20): two blocks of eight and a tail of four. deno-fmt-ignore
  const torch = [
    0.0010000000474974513, 0.02200000174343586, 0.0430000014603138, 0.06400001049041748,
    0.08500000834465027, 0.10600000619888306, 0.12700001895427704, 0.14800001680850983,
    0.16900001466274261, 0.1900000125169754, 0.21100002527236938, 0.23200002312660217,
    0.25300002098083496, 0.27400001883506775, 0.29500001668930054, 0.3160000443458557,
    0.3370000123977661, 0.3580000102519989, 0.3790000081062317, 0.4000000059604645,
  ];
  assertEquals(Array.from(torchLinspace(1e-3, 0.4, 20)), torch);
});

Deno.test("fusedMultiplyAdd() rounds once where f64 followed by float32 rounds twice", () => {
  // 1 + 2^-24 lies half-way between two float32 numbers; 2^-60 beyond it decides upwards, but is
  // lost when the sum is first rounded to f64. The two mirrored cases decide downwards.
  const up = Math.fround(1 + 2 ** -23);
  const a = Math.fround(2 ** -12 + 2 ** -35), b = Math.fround(2 ** -12 + 2 ** -35);
  assertEquals(Math.fround(a * b + 1), up, "this product is large enough for f64 to keep");
  assertEquals(fusedMultiplyAdd(a, b, 1), up);
  const tiny = 2 ** -60, half = 1 + 2 ** -24; // half is an f64, so it is given as a product
  assertEquals(Math.fround(half + tiny), 1, "rounding twice loses the tie-break");
  assertEquals(fusedMultiplyAdd(half, 1, tiny), up);
  assertEquals(fusedMultiplyAdd(-half, 1, -tiny), -up);
  const above = 1 + 3 * 2 ** -24; // ties to 1 + 2^-22; a little less goes to 1 + 2^-23
  assertEquals(Math.fround(above - tiny), Math.fround(1 + 2 ** -22));
  assertEquals(fusedMultiplyAdd(above, 1, -tiny), up);
  assertEquals(fusedMultiplyAdd(-above, 1, tiny), -up);
});
