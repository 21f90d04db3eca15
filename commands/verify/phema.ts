/**
 * The family edm2-phema: averages of power-function profiles, and others put together from them.
 *
 * @module
 */
import { emaDecay } from "../../optim/ema_decay.ts";
import { learningRate } from "../../optim/learning_rate.ts";
import { PLAIN_EMA, PLAIN_RATE } from "../../optim/options.ts";
import {
  coefficientsOf,
  correlation,
  exponentOf,
  powerDecayOf,
  type Profile,
  response,
  widthOf,
} from "../../optim/power_ema.ts";
import { type CaseResult, Comparison, type GoldenFile, maxAbs, replay } from "./golden.ts";

const FAMILY = "edm2-phema";

/** Relative error of formulas in f64, times the condition number where equations are solved. */
const RELATIVE = 1e-11;

/** Replays the family. */
export async function* verifyPhema(golden: GoldenFile): AsyncGenerator<CaseResult> {
  const cases = golden.manifest.cases as Record<string, Record<string, unknown>>;
  for (const op of ["profiles", ...Object.keys(cases)]) {
    yield* replay({ case: op, family: FAMILY, op }, () => {
      const comparison = new Comparison(op, FAMILY, op);
      const facts = cases[op] ?? {};
      if (op === "profiles") verifyProfiles(golden, comparison);
      else if (op.startsWith("solve")) verifySolution(golden, op, facts, comparison);
      else if (op === "beta") verifyDecays(golden, facts, comparison);
      else if (op === "train") verifyRun(golden, facts as unknown as Run, comparison);
      else if (op === "lr") verifyRates(golden, facts, comparison);
      return comparison.result();
    });
  }
}

function check(
  comparison: Comparison,
  key: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative = RELATIVE,
): void {
  comparison.check(key, actual, expected, relative * maxAbs(expected));
}

const list = (golden: GoldenFile, name: string) => Array.from(golden.get(name).data);

function profiles(golden: GoldenFile, times: string, widths: string): Profile[] {
  const all = list(golden, widths);
  return list(golden, times).map((time, i) => ({ time, width: all[i]! }));
}

function verifyProfiles(golden: GoldenFile, comparison: Comparison): void {
  const exponents = list(golden, "std_to_exp");
  check(comparison, "std_to_exp", list(golden, "std").map(exponentOf), exponents);
  check(comparison, "exp_to_std", exponents.map(widthOf), list(golden, "exp_to_std"));
  const { data, shape: [, length = 0] } = golden.get("response/out");
  const rows = profiles(golden, "response/ofs", "response/std");
  check(comparison, "response", rows.flatMap((row) => [...response(row, length)]), data);
  const [a, b] = ["a", "b"].map((s) =>
    profiles(golden, `correlation/${s}_ofs`, `correlation/${s}_std`)
  );
  const pairs = a!.flatMap((one) => b!.map((other) => correlation(one, other)));
  check(comparison, "correlation", pairs, list(golden, "correlation/out"));
}

function verifyDecays(
  golden: GoldenFile,
  { std }: Record<string, unknown>,
  comparison: Comparison,
): void {
  const next = list(golden, "beta/t_next"), delta = list(golden, "beta/t_delta");
  const actual = (std as number[]).flatMap((width) =>
    next.map((t, j) => powerDecayOf(width, t, delta[j]!))
  );
  check(comparison, "beta", actual, list(golden, "beta/out"));
}

function verifySolution(
  golden: GoldenFile,
  key: string,
  { condition_number: condition }: Record<string, unknown>,
  comparison: Comparison,
): void {
  const stored = profiles(golden, `${key}/in_ofs`, `${key}/in_std`);
  const wanted = profiles(golden, `${key}/out_ofs`, `${key}/out_std`);
  const columns = wanted.map((profile) => coefficientsOf(stored, profile));
  const actual = stored.flatMap((_, i) => columns.map((column) => column[i]!));
  const expected = list(golden, `${key}/coefficients`);
  check(comparison, key, actual, expected, RELATIVE * Number(condition ?? 1e4));
}

interface Run {
  readonly batch: number;
  readonly steps: number;
  readonly snapshot_every: number;
  readonly stds: readonly number[];
  readonly out_std: readonly number[];
  readonly traditional: { readonly halflife_Mimg: number; readonly rampup_ratio: number | null };
}

/** A run of a few weights: its averages, its snapshots and what is put together from them. */
function verifyRun(golden: GoldenFile, run: Run, comparison: Comparison): void {
  const { batch, steps, stds } = run;
  const { data, shape: [, size = 0] } = golden.get("train/theta");
  const theta = (k: number) => Array.from({ length: size }, (_, i) => data[k * size + i]!);
  const follow = (decay: (step: number) => number) => {
    const states = [theta(0)];
    for (let k = 0; k < steps; k++) {
      const d = decay(k), weights = theta(k + 1);
      states.push(states[k]!.map((value, i) => d * value + (1 - d) * weights[i]!));
    }
    return states;
  };
  const power = (width: number) => follow((k) => powerDecayOf(width, (k + 1) * batch, batch));
  const kept = stds.map(power);
  const at = Array.from(
    { length: Math.floor(steps / run.snapshot_every) },
    (_, i) => (i + 1) * run.snapshot_every,
  );
  const snapshots = at.flatMap((step) => kept.map((states) => states[step]!));
  check(comparison, "snapshots", snapshots.flat(), list(golden, "train/power_ema_snapshots"));
  const { halflife_Mimg, rampup_ratio: rampUp } = run.traditional;
  const ema = { decay: 0, ...PLAIN_EMA, halfLife: halflife_Mimg * 1e6, rampUp };
  const traditional = follow((k) => emaDecay(ema, k, batch)).slice(1).flat();
  check(comparison, "traditional", traditional, list(golden, "train/traditional_ema"));
  const stored = at.flatMap((step) => stds.map((width) => ({ time: step * batch, width })));
  const rebuilt = run.out_std.map((width) => {
    const shares = coefficientsOf(stored, { time: steps * batch, width });
    return theta(0).map((_, i) =>
      shares.reduce((sum, share, j) => sum + share * snapshots[j]![i]!, 0)
    );
  });
  check(comparison, "reconstructed", rebuilt.flat(), list(golden, "train/reconstructed"), 1e-7);
  const direct = run.out_std.flatMap((width) => power(width)[steps]!);
  check(comparison, "direct", direct, list(golden, "train/direct"));
}

function verifyRates(
  golden: GoldenFile,
  facts: Record<string, unknown>,
  comparison: Comparison,
): void {
  const { batch_size, ref_lr, ref_batches, rampup_Mimg } = facts as Record<string, number>;
  const options = {
    ...PLAIN_RATE,
    decay: "inverse-sqrt" as const,
    lr: ref_lr!,
    warmupSteps: 0,
    decayAfter: ref_batches!,
  };
  const actual = list(golden, "lr/nimg").map((images) => {
    const rate = ref_batches! > 0 ? learningRate(options, images / batch_size!, Infinity) : ref_lr!;
    return rate * (rampup_Mimg! > 0 ? Math.min(images / (rampup_Mimg! * 1e6), 1) : 1);
  });
  check(comparison, "lr", actual, list(golden, "lr/out"));
}
