/**
 * What can be replayed: families by the name of their file, and networks by that of their code base.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { verifyDinoV2 } from "./dinov2.ts";
import { verifySchedulers } from "./diffusers_schedulers.ts";
import { verifyDiffusion } from "./diffusion.ts";
import { verifyEdmAugment } from "./edm_augment.ts";
import { verifyEdmBlocks } from "./edm_blocks.ts";
import { verifyEdmTables } from "./edm_tables.ts";
import { verifyEdm2Sampler, verifyEdmSamplers } from "./edm_samplers.ts";
import type { CaseResult, GoldenFile } from "./golden.ts";
import { verifyInception } from "./inception.ts";
import { AUTOENCODER_KL } from "./networks/autoencoder_kl.ts";
import { DIFFUSERS } from "./networks/diffusers.ts";
import { DIT } from "./networks/dit.ts";
import { EDM } from "./networks/edm.ts";
import { FULL_UNET } from "./networks/full.ts";
import { EDM2 } from "./networks/edm2.ts";
import { LUCID_KARRAS_UNET } from "./networks/lucid_karras.ts";
import { LUCID_CLASSES, LUCID_SIGNALS, LUCIDRAINS } from "./networks/lucid.ts";
import { GUIDED } from "./networks/guided.ts";
import { verifyFlowObjectives } from "./flow_objectives.ts";
import { verifyLucidObjectives } from "./lucid_objectives.ts";
import { verifyMetrics } from "./metrics.ts";
import { verifyObjectives } from "./objectives.ts";
import { verifyLpips } from "./lpips.ts";
import { verifyOps } from "./ops.ts";
import { verifyOptim } from "./optim.ts";
import { verifyPhema } from "./phema.ts";
import type { RecordedNetwork } from "./recorded_network.ts";
import { verifyScheduleTables } from "./schedule_tables.ts";
import { verifySamplerFeatures } from "./sampler_features.ts";
import { verifyUnet } from "./unet.ts";

/** Replays a family; `others` are the folder's other files, as far as they were read. */
export type VerifyFamily = (
  gpu: Gpu,
  golden: GoldenFile,
  others: ReadonlyMap<string, GoldenFile>,
) => AsyncIterable<CaseResult>;

/** Families of one file and its manifest that are replayed, in order. */
export const FAMILIES: Readonly<Record<string, VerifyFamily>> = {
  "ops": verifyOps,
  "unet-small": verifyUnet,
  "unet-attention": verifyUnet,
  "diffusion": (gpu, golden, others) => verifyDiffusion(gpu, golden, others.get("unet-small")),
  "inception": verifyInception,
  "lpips-alex": verifyLpips,
  "dinov2": verifyDinoV2,
  "schedules": (_, golden) => verifyScheduleTables(golden),
  "edm": (_, golden) => verifyEdmTables(golden),
  "objectives": verifyObjectives,
  "diffusers-schedulers": verifySchedulers,
  "samplers": verifySamplerFeatures,
  "edm-samplers": verifyEdmSamplers,
  "edm2-sampler": verifyEdm2Sampler,
  "flow-matching": verifyFlowObjectives,
  "lucid-objectives": verifyLucidObjectives,
  "metrics": (_, golden) => verifyMetrics(golden),
  "optim": (_, golden) => verifyOptim(golden),
  "edm2-phema": (_, golden) => verifyPhema(golden),
  "edm-blocks": verifyEdmBlocks,
  "edm-augment": verifyEdmAugment,
};

/** Networks of other code bases. */
export const RECORDED_NETWORKS: readonly RecordedNetwork[] = [
  AUTOENCODER_KL,
  DIFFUSERS,
  DIT,
  EDM,
  FULL_UNET,
  EDM2,
  LUCIDRAINS,
  LUCID_CLASSES,
  LUCID_SIGNALS,
  GUIDED,
  LUCID_KARRAS_UNET,
];
