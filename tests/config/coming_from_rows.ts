/**
 * What each row of the tables of docs/coming-from.md sets, with values as somebody would give them, and
 * the complete lists of the options of the codes.
 *
 * @module
 */

/** A table: whose it is, the config that its rows are set on, and what they set. */
export interface Source {
  /** Heading of the section. */
  readonly title: string;
  /** The config, in config/. */
  readonly base: string;
  /** Configs that rows are set on instead, as they are. */
  readonly bases?: Readonly<Record<string, string>>;
  /** Overrides that make it small. */
  readonly small: string;
  /** Every option of that code. */
  readonly options: string;
  /** By the first option of a row, or all of its left cell: overrides, `key=value` side by side. */
  readonly rows: Readonly<Record<string, string>>;
}

const HALF = "model.channels=32 model.channelMultipliers=[1,2] data.size=16 train.batchSize=2";

/** w86763777/pytorch-ddpm's main.py, then what zjuyzj's adds. */
const PYTORCH_DDPM: Source = {
  title: "pytorch-ddpm",
  base: "sources/pytorch-ddpm-cifar10.json",
  bases: { tau: "unrolled.json" },
  small: `${HALF} model.blocks=1`,
  options: "train eval flagfile ch ch_mult attn num_res_blocks dropout beta_1 beta_T T mean_type " +
    "var_type lr grad_clip warmup total_steps batch_size img_size ema_decay logdir sample_size " +
    "sample_step save_step eval_step num_images fid_cache fid_use_torch parallel num_workers " +
    "dataset img_ch nprocs tau net_cfg layer_loss_factor resume_from_ckpt " +
    "resume_without_progress resume_layer_excluded eval_use_torch",
  rows: {
    ch: "model.channels=64",
    ch_mult: "model.channelMultipliers=[1,2,2]",
    attn: "model.attentionLevels=[0,1]",
    num_res_blocks: "model.blocks=2",
    dropout: "model.dropout=0.2",
    beta_1: "diffusion.betaStart=2e-4 diffusion.betaEnd=0.03 diffusion.schedule=linear-torch",
    T: "diffusion.timesteps=500",
    mean_type: "diffusion.target=xprev diffusion.xprevOutput=mean",
    var_type: "diffusion.variance=fixedsmall",
    lr: "optim.lr=1e-3 optim.gradClip=0 optim.warmupSteps=7",
    total_steps: "train.steps=100 train.batchSize=3",
    img_size: "data.size=32",
    ema_decay: "optim.ema.decay=0.99 optim.ema.warmup=false",
    logdir: "run.dir=logs/007",
    sample_size: "train.sampleCount=9 train.sampleEvery=10",
    save_step: "train.checkpointEvery=20",
    eval_step: "metrics.every=100 metrics.count=500",
    fid_use_torch: "metrics.every=100 metrics.estimate=true",
    parallel: "train.distributed=mpi",
    nprocs: "train.distributed=mpi",
    dataset: "data.name=fashion-mnist data.flip=false",
    tau:
      "model.name=unrolled model.stages=4 diffusion.sampler.steps=4 model.blocks=[2,1] model.channels=[32,16] " +
      "diffusion.objective=unrolled diffusion.layerLossFactor=0.5",
  },
};

/** caetas/GenerativeZoo's DDPM.py. */
const GENERATIVE_ZOO: Source = {
  title: "GenerativeZoo",
  base: "sources/generative-zoo.json",
  small: HALF,
  options: "--train --sample --outlier_detection --inpaint --fid --batch_size --n_epochs --lr " +
    "--timesteps --model_channels --num_res_blocks --attention_resolutions --dropout " +
    "--channel_mult --conv_resample --dims --num_heads --num_head_channels " +
    "--use_scale_shift_norm --resblock_updown --use_new_attention_order --beta_start --beta_end " +
    "--sample_and_save_freq --dataset --ddpm --checkpoint --num_samples --out_dataset " +
    "--loss_type --sample_timesteps --no_wandb --lpips --num_workers --recon_factor --warmup " +
    "--decay --latent --ema_rate --size --snapshots",
  rows: {
    "--batch_size": "train.batchSize=3",
    "--n_epochs": "train.epochs=20",
    "--lr": "optim.lr=2e-3 optim.decay=one-cycle optim.startLr=1e-6 optim.finalLr=1e-6",
    "--warmup": "optim.warmupSteps=10 epochs",
    "--decay": "optim.weightDecay=1e-7 optim.name=adamw",
    "--ema_rate": "optim.ema.decay=0.99",
    "--timesteps": "diffusion.timesteps=600",
    "--beta_start": "diffusion.betaStart=2e-4 diffusion.betaEnd=0.03",
    "--loss_type": "diffusion.loss=l1",
    "--ddpm": "diffusion.sampler.eta=0 diffusion.sampler.name=ddim",
    "--sample_timesteps": "diffusion.sampler.steps=100 diffusion.sampler.spacing=from-last",
    "--model_channels": "model.channels=64 model.name=guided",
    "--num_res_blocks": "model.blocks=1",
    "--attention_resolutions": "model.attentionFactors=[2]",
    "--dropout": "model.dropout=0.1",
    "--channel_mult": "model.channelMultipliers=[1,2,2]",
    "--conv_resample": "model.convResample=false",
    "--dims": "model.dims=2",
    "--num_heads": "model.heads=2 model.headChannels=null",
    "--num_head_channels": "model.headChannels=16",
    "--use_scale_shift_norm": "model.scaleShift=true",
    "--resblock_updown": "model.blockResample=true",
    "--use_new_attention_order": "model.qkvOrder=all-queries-first",
    "--sample_and_save_freq": "train.sampleEvery=5 epochs",
    "--snapshots": "train.checkpointEvery=10 epochs train.keep=10",
    "--num_samples": "train.sampleCount=25",
    "--dataset": "data.name=fashion-mnist",
    "--size": "data.size=32 data.resize=bilinear",
    "--latent":
      "model.latent.autoencoder=sd-vae-ft-mse data.size=64 data.name=folder data.dir=images",
  },
};

/** yiyixuxu/denoising-diffusion-flax's main.py, and the keys of its configs. */
const FLAX: Source = {
  title: "denoising-diffusion-flax",
  base: "sources/flax-fashion-mnist-cpu.json",
  small: HALF,
  options: "--workdir --config --mode --wandb_artifact seed training.num_train_steps " +
    "training.log_every_steps training.loss_type training.half_precision " +
    "training.save_and_sample_every training.num_sample ema.beta ema.update_every " +
    "ema.update_after_step ema.inv_gamma ema.power ema.min_value ddpm.beta_schedule " +
    "ddpm.timesteps ddpm.p2_loss_weight_gamma ddpm.p2_loss_weight_k ddpm.self_condition " +
    "ddpm.pred_x0 data.dataset data.batch_size data.cache data.image_size data.channels " +
    "model.dim model.dim_mults optim.optimizer optim.lr optim.beta1 optim.beta2 optim.eps " +
    "wandb.log_train wandb.log_sample wandb.log_model wandb.entity wandb.project wandb.job_type " +
    "wandb.name",
  rows: {
    "--workdir": "run.dir=fashion",
    "seed": "run.seed=7",
    "training.num_train_steps": "train.steps=200",
    "training.log_every_steps": "train.logEvery=50",
    "training.loss_type": "diffusion.loss=mse",
    "training.half_precision": "train.precision=f16",
    "training.save_and_sample_every": "train.sampleEvery=50 train.checkpointEvery=50",
    "training.num_sample": "train.sampleCount=36",
    "ema.beta": "optim.ema.decay=0.99",
    "ema.update_every": "optim.ema.updateEvery=5 optim.ema.updateAfter=50",
    "ema.inv_gamma": "optim.ema.invGamma=2 optim.ema.power=0.75 optim.ema.minDecay=0.1",
    "ddpm.beta_schedule": "diffusion.schedule=cosine",
    "ddpm.timesteps": "diffusion.timesteps=500",
    "ddpm.p2_loss_weight_gamma": "diffusion.weightingOptions.p2Gamma=1 diffusion.weighting=p2",
    "ddpm.p2_loss_weight_k": "diffusion.weighting=p2 diffusion.weightingOptions.p2Gamma=1 " +
      "diffusion.weightingOptions.p2K=2 diffusion.weightingOptions.p2Slip=false",
    "ddpm.self_condition": "model.selfCondition=true diffusion.selfConditionBy=batch",
    "ddpm.pred_x0": "diffusion.target=x0",
    "data.dataset": "data.name=fashion-mnist",
    "data.batch_size": "train.batchSize=3",
    "data.cache": "data.name=folder data.dir=images data.stream=true data.flip=true",
    "data.image_size":
      "data.size=24 data.resize=bicubic data.crop=true data.name=folder data.dir=images",
    "data.channels": "data.channels=1 data.name=folder data.dir=images",
    "model.dim": "model.channels=64 model.channelMultipliers=[1,2,4]",
    "optim.optimizer": "optim.name=adam optim.lr=2e-4 optim.warmupSteps=0 optim.decay=constant " +
      "optim.gradClip=0",
    "optim.beta1": "optim.betas=[0.9,0.999] optim.eps=1e-7",
  },
};

/** lucidrains' WeightedObjectiveGaussianDiffusion. */
const WEIGHTED: Source = {
  title: "The weighted objective of denoising-diffusion-pytorch",
  base: "lucid.json",
  small: "model.channels=8 model.channelMultipliers=[1,2] train.batchSize=2 " +
    "diffusion.target=dual-output",
  options: "WeightedObjectiveGaussianDiffusion out_dim pred_noise_loss_weight " +
    "pred_x_start_loss_weight timesteps beta_schedule",
  rows: {
    WeightedObjectiveGaussianDiffusion: "diffusion.target=dual-output",
    pred_noise_loss_weight: "diffusion.dualOutput.noiseWeight=0.2",
    pred_x_start_loss_weight: "diffusion.dualOutput.imageWeight=0",
    "clamp(-2., 2.)": "diffusion.dualOutput.limit=3",
    timesteps: "diffusion.timesteps=200",
    beta_schedule: "diffusion.schedule=cosine",
  },
};

/** What dataflowr's notebook and dsc-capstone-b05 call. */
const NOTEBOOK: Source = {
  title: "The notebook of the capstone project",
  base: "sources/notebook-mnist.json",
  small: "model.channels=8 model.channelMultipliers=[1,2] data.size=16 train.batchSize=2",
  options: "load_data FullUNet n_steps time_emb_dim DDPM batch_size num_epochs num_workers " +
    "noise_type loc scale loss_f generate_image generated_mid train_cifar_by_class show_images " +
    "show_image_dataset calc_and_save_stats get_inception_score_and_fid torch.load device",
  rows: {
    'load_data("MNIST")': "data.name=mnist data.size=32 data.resize=bilinear",
    "FullUNet(in_c, out_c)": "model.name=full",
    "n_steps": "diffusion.timesteps=500 model.timeChannels=50 model.timeTable=notebook",
    "DDPM(min_beta, max_beta)": "diffusion.betaStart=2e-4 diffusion.betaEnd=0.03",
    "TrainingLoop(batch_size, num_epochs)": "train.batchSize=3 train.epochs=30",
    "noise_type": "diffusion.noise.name=laplace",
    "loc":
      "diffusion.noise.name=laplace diffusion.noise.laplaceMean=0 diffusion.noise.laplaceScale=1",
    "probabilities of S&P": "diffusion.noise.name=salt-pepper diffusion.noise.salt=0.02 " +
      "diffusion.noise.pepper=0.02 diffusion.noise.saltPepperSlip=true",
    "loss_f": "diffusion.loss=laplace-nll",
    "learning rate": "optim.lr=1e-4 optim.warmupSteps=0 optim.gradClip=0 optim.ema.decay=0",
    "train_cifar_by_class": "data.name=cifar10 data.classes=ship",
  },
};

/** huggingface/diffusers' examples/unconditional_image_generation/train_unconditional.py. */
const DIFFUSERS: Source = {
  title: "diffusers' train_unconditional.py",
  base: "sources/diffusers-unconditional.json",
  small: 'model.blockOutChannels=[32,64] model.downBlockTypes=["DownBlock2D","AttnDownBlock2D"] ' +
    'model.upBlockTypes=["AttnUpBlock2D","UpBlock2D"] data.size=16 train.batchSize=2',
  options: "--dataset_name --dataset_config_name --model_config_name_or_path --train_data_dir " +
    "--output_dir --overwrite_output_dir --cache_dir --resolution --center_crop --random_flip " +
    "--train_batch_size --eval_batch_size --dataloader_num_workers --num_epochs " +
    "--save_images_epochs --save_model_epochs --gradient_accumulation_steps --learning_rate " +
    "--lr_scheduler --lr_warmup_steps --adam_beta1 --adam_beta2 --adam_weight_decay " +
    "--adam_epsilon --use_ema --ema_inv_gamma --ema_power --ema_max_decay --push_to_hub " +
    "--hub_token --hub_model_id --hub_private_repo --logger --logging_dir --local_rank " +
    "--mixed_precision --prediction_type --ddpm_num_steps --ddpm_num_inference_steps " +
    "--ddpm_beta_schedule --checkpointing_steps --checkpoints_total_limit " +
    "--resume_from_checkpoint --enable_xformers_memory_efficient_attention " +
    "--preserve_input_precision",
  rows: {
    "--dataset_name": "data.name=hf:huggan/smithsonian_butterflies_subset",
    "--train_data_dir": "data.name=folder data.dir=butterflies",
    "--model_config_name_or_path": "model.blockOutChannels=[32,32]",
    "--output_dir": "run.dir=butterflies",
    "--resolution": "data.size=32 data.resize=bilinear",
    "--center_crop": "data.crop=true",
    "--random_flip": "data.flip=true",
    "--train_batch_size": "train.batchSize=4 train.accumulate=2",
    "--eval_batch_size": "train.sampleCount=9",
    "--num_epochs": "train.epochs=20",
    "--logger": "train.tensorboard=true",
    "--save_images_epochs": "train.sampleEvery=10 epochs",
    "--save_model_epochs": "train.checkpointEvery=100",
    "--checkpoints_total_limit": "train.keep=3",
    "--learning_rate": "optim.lr=2e-4",
    "--lr_scheduler": "optim.decay=restarts",
    "--lr_warmup_steps": "optim.warmupSteps=100",
    "--adam_beta1": "optim.betas=[0.9,0.99] optim.eps=1e-7 optim.weightDecay=1e-5 optim.name=adamw",
    "--use_ema": "optim.ema.decay=0.9999 optim.ema.invGamma=1 optim.ema.power=0.75",
    "--prediction_type": "diffusion.target=x0 diffusion.lossOn=epsilon",
    "--ddpm_num_steps": "diffusion.timesteps=500 diffusion.schedule=linear",
    "--ddpm_num_inference_steps": "diffusion.sampler.name=ddim diffusion.sampler.steps=50",
    "--mixed_precision": "train.precision=f16",
  },
};

/** The tables, in their order. */
export const SOURCES: readonly Source[] = [
  ...[PYTORCH_DDPM, GENERATIVE_ZOO, FLAX, DIFFUSERS, WEIGHTED, NOTEBOOK],
];
