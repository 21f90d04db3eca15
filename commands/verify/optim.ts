/**
 * The family optim: learning rates and decays of moving averages from step to step.
 *
 * @module
 */
import { emaDecay, halfLifeDecay, powerDecay } from "../../optim/ema_decay.ts";
import { firstBeta, learningRate } from "../../optim/learning_rate.ts";
import { type DecayName, type EmaOptions, PLAIN_EMA, PLAIN_RATE } from "../../optim/options.ts";
import { type CaseResult, Comparison, type GoldenFile, replay, Unsupported } from "./golden.ts";

const FAMILY = "optim";

/** Relative error of formulas in f64. */
const RELATIVE = 1e-12;

type Facts = Readonly<Record<string, number | string | boolean | null>>;

/** Replays the family. */
export async function* verifyOptim(golden: GoldenFile): AsyncGenerator<CaseResult> {
  for (const [key, facts] of Object.entries(golden.manifest.cases as Record<string, Facts>)) {
    const kind = key.split("/")[0]!;
    const name = { case: key, family: FAMILY, op: kind };
    yield* replay(name, () => {
      const verify = KINDS[kind];
      if (!verify) throw new Unsupported(`${kind} is not known`);
      const comparison = new Comparison(key, FAMILY, kind);
      verify({ golden, key, facts, comparison });
      return comparison.result();
    });
  }
}

interface Case {
  readonly golden: GoldenFile;
  readonly key: string;
  readonly facts: Facts;
  readonly comparison: Comparison;
}

const KINDS: Readonly<Record<string, (of: Case) => void>> = {
  onecycle: verifyOneCycle,
  warmup: ({ golden, key, facts, comparison }) => {
    const { data } = golden.get(key);
    const options = rates("constant", Number(facts.lr), Number(facts.warmup));
    check(comparison, key, data, (k) => learningRate(options, k, data.length));
  },
  ema_flax: verifyFlax,
  ema_kdiffusion: ({ golden, key, facts, comparison }) => {
    const start = Number(facts.start_at);
    const options = average({ ...powers(facts), decay: Number(facts.max) });
    const decay = (k: number) => powerDecay(options, Math.max(0, k - start));
    check(comparison, key, golden.get(key).data, decay);
  },
  ema_edm: ({ golden, key, facts, comparison }) => {
    const [images, betas] = rowsOf(golden, key);
    const batch = Number(facts.batch_size), ratio = facts.rampup_ratio;
    const halfLife = Number(facts.halflife_kimg) * 1000;
    const rampUp = ratio === null ? null : Number(ratio);
    check(comparison, key, betas, (i) => halfLifeDecay({ halfLife, rampUp }, images[i]!, batch));
  },
  lr_edm: ({ golden, key, facts, comparison }) => {
    const [images, lrs] = rowsOf(golden, key);
    const warmup = Math.max(Number(facts.rampup_kimg) * 1000, 1e-8);
    const options = rates("constant", Number(facts.lr), warmup);
    check(comparison, key, lrs, (i) => learningRate(options, images[i]!, Infinity));
  },
};

const rates = (decay: DecayName, lr: number, warmupSteps: number) => ({
  ...PLAIN_RATE,
  decay,
  lr,
  warmupSteps,
});

const average = (options: Partial<EmaOptions>): EmaOptions => ({
  decay: 0.9999,
  ...PLAIN_EMA,
  ...options,
});

const powers = ({ inv_gamma, power, min }: Facts) => ({
  invGamma: Number(inv_gamma),
  power: Number(power),
  minDecay: Number(min),
});

function verifyOneCycle({ golden, key, facts, comparison }: Case): void {
  const steps = Number(facts.total_steps), lr = Number(facts.max_lr);
  const startLr = lr / Number(facts.div_factor);
  const options = {
    ...rates(facts.anneal_strategy === "linear" ? "one-cycle-linear" : "one-cycle", lr, 0),
    startLr,
    finalLr: startLr / Number(facts.final_div_factor),
    warmupSteps: Number(facts.pct_start) * steps,
  };
  if (facts.three_phase) throw new Unsupported("a cycle of three phases is not known");
  if (facts.raises) {
    let refused = false;
    try {
      learningRate(options, 0, steps);
    } catch {
      refused = true;
    }
    comparison.note("refused", refused ? 0 : 1, 0, refused);
    return;
  }
  check(
    comparison,
    `${key}/lr`,
    golden.get(`${key}/lr`).data,
    (k) => learningRate(options, k, steps),
  );
  if (!golden.has(`${key}/beta1`)) return;
  const cycleBeta: [number, number] = [
    Number(facts.base_momentum ?? 0.85),
    Number(facts.max_momentum ?? 0.95),
  ];
  const cycle = { ...options, betas: [0.9, 0.999] as [number, number], cycleBeta };
  check(
    comparison,
    `${key}/beta1`,
    golden.get(`${key}/beta1`).data,
    (k) => firstBeta(cycle, k, steps),
  );
}

/** An average of a scalar w(k) = sin(0.1 k) + 0.01 k, and the decays at some steps. */
function verifyFlax({ golden, key, facts, comparison }: Case): void {
  const options = average({
    ...powers(facts),
    decay: Number(facts.beta),
    updateEvery: Number(facts.every),
    updateAfter: Number(facts.after),
  });
  const decays = golden.get(`${key}/step`).data, actions = golden.get(`${key}/action`).data;
  const formula = golden.get(`${key}/decay_formula`).data;
  const expected = Array.from(formula, (value, i) => [0, 1, value][actions[i]!]!);
  check(comparison, `${key}/decay`, expected, (i) => emaDecay(options, decays[i]!, 1));
  const weight = (k: number) => Math.sin(0.1 * k) + 0.01 * k;
  let mean = weight(-1);
  check(comparison, `${key}/trajectory`, golden.get(`${key}/trajectory`).data, (k) => {
    const decay = emaDecay(options, k, 1);
    return mean = decay * mean + (1 - decay) * weight(k);
  });
}

function rowsOf(golden: GoldenFile, key: string): [number[], number[]] {
  const { data, shape: [, columns = 0] } = golden.get(key);
  const values = Array.from(data);
  return [values.slice(0, columns), values.slice(columns)];
}

function check(
  comparison: Comparison,
  key: string,
  expected: ArrayLike<number>,
  actual: (i: number) => number,
): void {
  const values = Array.from(expected, (_, i) => actual(i));
  const scale = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  comparison.check(key, values, expected, RELATIVE * scale);
}
