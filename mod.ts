/**
 * Diffract as a library: kernels on WebGPU, a small autograd on top, U-Nets, the diffusion process.
 *
 * Everything here runs wherever there is a `navigator.gpu`: in Deno and, as it uses no files and no
 * runtime of its own, in a web page.
 *
 * @example Differentiate a function on the GPU
 * ```ts
 * import { Capture, Graph, openGpu, silu } from "@diffract/diffract";
 *
 * const gpu = await openGpu();
 * const capture = new Capture(gpu, "example");
 * const graph = new Graph(capture);
 * const x = graph.variable(gpu.tensor([3], { data: new Float32Array([-1, 0, 1]) }));
 * const y = silu(x);
 * const dy = gpu.tensor([3], { data: new Float32Array([1, 1, 1]) });
 * const dx = capture.keep(graph.backward(y, dy).get(x)!);
 * const program = await capture.plan();
 * program.run();
 * const slopes = await program.read(dx); // about 0.07, 0.5, 0.93
 * if (slopes[1] !== 0.5) throw new Error(`silu has a slope of 0.5 at 0, got ${slopes[1]}`);
 * gpu.destroy();
 * ```
 *
 * @module
 */
export { Arena, type ArenaEntry } from "./device/arena.ts";
export { Capture, type DispatchArgs } from "./device/capture.ts";
export type { AddedColumns, Binding, Dispatch, Fused, Task, Work } from "./device/dispatch.ts";
export { Gpu, type GpuFeature } from "./device/gpu.ts";
export { type GpuEnvironment, openGpu } from "./device/open_gpu.ts";
export {
  type Access,
  type BindingSpec,
  defineKernel,
  type Kernel,
  type ParamType,
} from "./device/kernel.ts";
export type { MemoryReport, PlanOptions } from "./device/plan_memory.ts";
export type { KernelTime } from "./device/profile.ts";
export { type InputValues, Program } from "./device/program.ts";
export type { TracedBinding, TracedDispatch } from "./device/trace.ts";
export { BYTES, type DType, type ElementType, type VectorType } from "./device/element.ts";
export { type GpuConstants, type GpuProvider, runtimeProvider } from "./device/provider.ts";
export { type HostArray, sizeOf, type TensorRef } from "./device/tensor.ts";

export {
  Graph,
  type GraphOptions,
  type ParameterSlot,
  type Recompute,
  Tensor,
} from "./autograd/graph.ts";
export type { Absorb, BackwardRule, InputGrad, InputGrads } from "./autograd/rule.ts";
export type { PartialSum } from "./kernels/shared/partial_sums.ts";
export type { OpRecord, Tape } from "./autograd/tensor.ts";
export { type Initializer, Parameter } from "./autograd/parameter.ts";
export { add } from "./autograd/ops/add.ts";
export { amplitudePhase } from "./autograd/ops/amplitude_phase.ts";
export { attention, type AttentionArgs } from "./autograd/ops/attention.ts";
export { columns } from "./autograd/ops/columns.ts";
export { concat } from "./autograd/ops/concat.ts";
export type { Conv2dOptions } from "./kernels/conv2d/shape.ts";
export { conv2d, type Conv2dArgs } from "./autograd/ops/conv2d.ts";
export { conv2dTransposed, type Conv2dTransposedArgs } from "./autograd/ops/conv2d_transposed.ts";
export type { Conv2dTransposedOptions } from "./kernels/conv2d/transposed.ts";
export { crossEntropy } from "./autograd/ops/cross_entropy.ts";
export { dropout } from "./autograd/ops/dropout.ts";
export { expand } from "./autograd/ops/expand.ts";
export {
  amplitude,
  fft2,
  type FourierNorm,
  ifft2,
  log1pAmplitude,
  logAmplitude,
  power,
} from "./autograd/ops/fft.ts";
export { film, type FilmArgs } from "./autograd/ops/film.ts";
export { fourierFeatures } from "./autograd/ops/fourier_features.ts";
export { gatherRows } from "./autograd/ops/gather_rows.ts";
export { haar } from "./autograd/ops/haar.ts";
export type { GeluForm } from "./kernels/elementwise/gelu.ts";
export { gelu } from "./autograd/ops/gelu.ts";
export { groupNorm, type GroupNormArgs } from "./autograd/ops/group_norm.ts";
export { inverseRoot } from "./autograd/ops/inverse_root.ts";
export { layerNorm } from "./autograd/ops/layer_norm.ts";
export { linearAttention, softmaxKeys } from "./autograd/ops/linear_attention.ts";
export {
  huberLoss,
  l1Loss,
  type MeanOptions,
  mseLoss,
  smoothL1Loss,
} from "./autograd/ops/losses.ts";
export { bmm, linear } from "./autograd/ops/matmul.ts";
export { gatedSum, modulatedNorm } from "./autograd/ops/modulate.ts";
export { mul } from "./autograd/ops/mul.ts";
export type { AvgPoolOptions, PoolOptions } from "./kernels/layout/pool.ts";
export { avgPool2d, maxPool2d } from "./autograd/ops/pool.ts";
export { patchify, unpatchify } from "./autograd/ops/patches.ts";
export { mean, type ReduceOptions, sum } from "./autograd/ops/reduce.ts";
export { relu } from "./autograd/ops/relu.ts";
export { reshape } from "./autograd/ops/reshape.ts";
export { ringMeans } from "./autograd/ops/ring_means.ts";
export { rmsNorm, type RmsNormArgs } from "./autograd/ops/rms_norm.ts";
export { scale } from "./autograd/ops/scale.ts";
export { silu } from "./autograd/ops/silu.ts";
export { softmax } from "./autograd/ops/softmax.ts";
export { standardize } from "./autograd/ops/standardize.ts";
export { type UpsampledAxes, upsampleNearest2x } from "./autograd/ops/upsample.ts";

export { countParameters, Module, namedParameters } from "./model/module.ts";
export type { ConditionName, Conditions, LevelInput } from "./autograd/network_inputs.ts";
export type { LogSnr, PositiveLinear } from "./model/log_snr.ts";
export type { Conditioning, Network, NetworkInputs, NetworkShape } from "./model/network.ts";
export type { UNetOptions } from "./model/networks/ho2020/options.ts";
export {
  createArena,
  initialValues,
  type NamedValues,
  parameterSlots,
  writeArenas,
} from "./model/parameters.ts";
export { createNetwork, type ModelOptions } from "./model/networks/registry.ts";
export { UNet, type UNetShape } from "./model/networks/ho2020/unet.ts";
export {
  fromStateDict,
  type PytorchConstant,
  type PytorchEntry,
  type PytorchLayout,
  pytorchNames,
  type PytorchParameter,
  type PytorchTensor,
  type Rearrangement,
  toStateDict,
} from "./model/networks/ho2020/names/pytorch_ddpm.ts";

export type {
  DiffusionOptions,
  LearnedVariance,
  ReverseVariance,
  SamplerOptions,
  ScheduleOptions,
  VarianceName,
} from "./diffusion/options.ts";
export { type Denoiser, denoiserOf, type Forward, type Predictor } from "./diffusion/denoiser.ts";
export { makePosterior, type Posterior, reverseLogVariance } from "./diffusion/posterior.ts";
export {
  type InpaintingMove,
  type InpaintingWay,
  KNOWN_NOISES,
  type KnownNoise,
  repaintMoves,
  type RepaintOptions,
} from "./diffusion/inpainting.ts";
export { slerp } from "./diffusion/interpolation.ts";
export type { Guidance, Guide, GuidedNetwork } from "./diffusion/guidance.ts";
export { type ClassScorer, toldClasses } from "./diffusion/classifier_guidance.ts";
export type { PredictionParts } from "./diffusion/prediction.ts";
export type { SampleDecoder } from "./diffusion/evaluation.ts";
export type { Compared, LossQuantity } from "./diffusion/loss_quantity.ts";
export type { DrawNoise } from "./diffusion/noises/record.ts";
export type { NoiseOptions } from "./diffusion/noises/registry.ts";
export type { AuxiliaryOptions } from "./diffusion/auxiliary/registry.ts";
export type { ForcingOptions, SpectralForcing } from "./diffusion/spectral_forcing.ts";
export type { ChosenVariance } from "./kernels/process/chosen_variance.ts";
export type {
  KeptShares,
  SamplerCoefficients,
  SamplerTensors,
  Threshold,
} from "./kernels/process/sampler_step.ts";
export type { Draw } from "./kernels/process/random.ts";
export type { ModulationColumns } from "./kernels/norm/modulate.ts";
export {
  type Banded,
  makeProcess,
  type Process,
  type ProcessOptions,
  type Steering,
} from "./diffusion/process.ts";
export type { Bands, Plane } from "./diffusion/bands.ts";
export type {
  ForwardOptions,
  ForwardProcessName,
  ProcessSettings,
} from "./diffusion/processes/registry.ts";
export type { BandTransform } from "./kernels/fft/band_transform.ts";
export type { Reconstruction } from "./diffusion/reconstruction.ts";
export { type TargetName, targetOutputs } from "./diffusion/parameterizations/registry.ts";
export type { WeightingName, WeightingOptions } from "./diffusion/weightings/registry.ts";
export type { PathSettings, SpacingName } from "./diffusion/spacing.ts";
export type {
  ProcessOnGpu,
  ProcessTables,
  SharedTensor,
  SharedTerm,
} from "./diffusion/level_tables.ts";
export type { OutputShares, TargetShares, XprevOutput } from "./diffusion/parameterization.ts";
export type { Move, NoiseColour, NoiseMove, SamplerStep, Shares } from "./diffusion/moves.ts";
export { samplerMoves } from "./diffusion/samplers/registry.ts";
export {
  type InpaintingTask,
  Sampler,
  type SamplerParts,
  type SamplingOptions,
  type SamplingWatch,
  type StepImages,
} from "./diffusion/sampling.ts";
export type { Level, Levels, NoiseLevel, Schedule } from "./diffusion/schedule.ts";
export { makeSchedule } from "./diffusion/schedules/registry.ts";
export type { LearnedLogSnr } from "./diffusion/schedules/learned.ts";
export { octaves, radialFrequencies, unitRings } from "./diffusion/frequency.ts";
export { createRings, destroyRings, type Rings } from "./kernels/fft/rings.ts";
export type { EmaOptions, LearningRateOptions, OptimOptions } from "./optim/options.ts";
export type { GradNorm } from "./kernels/optim/grad_norm.ts";
export { type OptimizerRecord, optimizerScalars, recordOptimizer } from "./optim/adam.ts";
export { emaDecay } from "./optim/ema_decay.ts";
export { learningRate } from "./optim/learning_rate.ts";

export { type FrechetDistance, frechetDistance } from "./metrics/numerics/frechet.ts";
export { type InceptionScore, InceptionScorer } from "./metrics/judges/inception_score.ts";
export { type FeatureSet, type KernelDistance, kernelDistance } from "./metrics/judges/kid.ts";
export type { Matrix } from "./metrics/numerics/f64_matmul.ts";
export { type Gaussian, Moments } from "./metrics/numerics/moments.ts";
export {
  type ManifoldMetrics,
  manifoldMetrics,
  type NeighbourOptions,
} from "./metrics/judges/precision_recall.ts";
export type { Pixels } from "./data/dataset.ts";
export { RadialSpectrum } from "./metrics/numerics/radial_spectrum.ts";
export { type Separation, separation } from "./metrics/judges/roc.ts";
