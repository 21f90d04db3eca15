"""Makes the U-Net and the diffusion files of this folder with PyTorch on the CPU.

    python3 make_unet.py REFERENCE_DIR [--check-only]

REFERENCE_DIR is the full reference set. The network, the training steps and the samplers below are first
held to its numbers; only then the reduced ones are written.
"""
import argparse
import copy
import json
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from golden_files import read_tensors, write_json, write_sums, write_tensors
from samplers import ancestral, ddim, posterior, tables_of
from unet import UNet

HERE = os.path.dirname(os.path.abspath(__file__))
# Two channels a group at the narrowest level: with one, GroupNorm would remove the time embedding.
CONFIG = {
    "T": 1000, "ch": 16, "ch_mult": [1, 2], "attn": [1], "num_res_blocks": 1, "dropout": 0.0, "groups": 8,
}
X_SHAPE = [2, 3, 8, 8]
SEED = 20
# Attention on both levels of larger images, and late timesteps: there PyTorch's time table, which is computed in
# float32, is farthest from the exact one, and so is the gradient of the layer behind it.
ATTENTION_CONFIG = {**CONFIG, "attn": [0, 1]}
ATTENTION_X_SHAPE = [3, 3, 32, 32]
KEEP_GRAD = 512
KEEP_AFTER = 256
LR = 2e-4
EMA_DECAYS = {"ema9999": 0.9999, "ema9": 0.9}


def train(model, batches):
    """Three steps of mse, clip, Adam, EMA; keeps what a replay is compared with."""
    model = copy.deepcopy(model)
    averages = {name: copy.deepcopy(model.state_dict()) for name in EMA_DECAYS}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=LR)
    kept = {"losses": [], "norms": []}
    for step, (x, t, target) in enumerate(batches):
        optimizer.zero_grad()
        out = model(x, t)
        loss = F.mse_loss(out, target)
        loss.backward()
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        if step == 0:
            kept["out"] = out.detach().clone()
            kept["grad"] = {n: p.grad.clone() for n, p in trained.items()}
        norm = nn.utils.clip_grad_norm_(trained.values(), 1.0)
        if step == 0:
            kept["norm_after_clip"] = torch.norm(torch.stack([p.grad.norm() for p in trained.values()])).item()
        optimizer.step()
        state = model.state_dict()
        for name, decay in EMA_DECAYS.items():
            for key, average in averages[name].items():
                average.copy_(average * decay + state[key] * (1 - decay))
        kept["losses"].append(loss.item())
        kept["norms"].append(norm.item())
        if step == 0:
            kept["after1"] = copy.deepcopy(state)
    return {**kept, "after3": model.state_dict(), **averages}


def double(model):
    return copy.deepcopy(model).double()


def worst(a, b):
    return (a.double() - b.double()).abs().max().item()


def load_reference_unet(folder):
    with open(os.path.join(folder, "unet-small.manifest.json")) as file:
        manifest = json.load(file)
    recorded = {n: torch.tensor(a) for n, a in read_tensors(os.path.join(folder, "unet-small.safetensors")).items()}
    model = UNet(**manifest["config"])
    table = model.time_embedding.timembedding[0].weight
    name = "time_embedding.timembedding.0.weight"
    report("time table", worst(table, recorded[f"param/{name}"]), 0.0)
    model.load_state_dict({n[6:]: v for n, v in recorded.items() if n.startswith("param/")}, strict=True)
    return model, manifest, recorded


def report(what, error, budget):
    print(f"{what:<58} {error:9.2e} <= {budget:9.2e}")
    if not error <= budget:
        raise ValueError(f"Cannot trust this script: {what} must be within {budget}, got {error}")


def check_training(model, manifest, recorded):
    batches = [tuple(recorded[p + n] for n in ("x", "t", "target")) for p in ("", "step2.", "step3.")]
    result = train(model, batches)
    report("out", worst(result["out"], recorded["out"]), 1e-5)
    report("losses", max(abs(a - b) for a, b in zip(result["losses"], manifest["training"]["losses"])), 1e-6)
    gradients = max(worst(g, recorded[f"grad/{n}"]) for n, g in result["grad"].items())
    report("gradients", gradients, 5e-6)
    zero = set(manifest["zero_gradient_params"])
    for key in ("after3", *EMA_DECAYS):
        error = max(
            worst(v.flatten()[:4096], recorded[f"{key}/{n}"].flatten())
            for n, v in result[key].items() if f"{key}/{n}" in recorded and n not in zero
        )
        report(f"{key} (without those of zero gradient)", error, 5e-5)


def check_diffusion(model, manifest, recorded):
    tables = tables_of(recorded, "linear1000_repo")
    x, t, output = (torch.tensor(recorded[f"pmv/{n}"]) for n in ("x_t", "t", "model_out"))
    report("pmv/model_out", worst(model(x, t).detach(), torch.tensor(recorded["pmv/model_out"])), 1e-5)
    for kind in ("epsilon", "xstart", "xprev"):
        values = posterior(tables, kind, x, t, output)
        for name, value in zip(("x0_pred", "mean_repo", "mean_clipped_x0"), values):
            report(f"pmv/{kind}/{name}", worst(value, torch.tensor(recorded[f"pmv/{kind}/{name}"])), 0.0)
    for run in manifest["ancestral_runs"]:
        schedule, var_type, variant = run["schedule"], run["var_type"], run["variant"]
        x_T, z = (torch.tensor(recorded[f"ancestral/{schedule}/{n}"]) for n in ("x_T", "z"))
        states, clipped = ancestral(model, tables_of(recorded, schedule), var_type, variant, x_T, z)
        name = f"ancestral/{schedule}/{var_type}/{variant}"
        size = max(1, states.abs().max().item() / run["absmax_final"])
        error = worst(states, torch.tensor(recorded[f"{name}/traj"]))
        report(name, error, 10 * run["final_maxabs_f32_vs_f64"] * size)
        if variant == "clipped":
            report(f"{name} values clipped", abs(clipped - run["n_values_clipped_over_all_steps"]), 0)
    for run in manifest["ddim_runs"]:
        _, spacing, eta, clip = run["key"].split("/")
        x_T, z = (torch.tensor(recorded[f"ddim/{spacing}/{n}"]) for n in ("x_T", "z"))
        steps = recorded[f"ddim/{spacing}/timesteps"].tolist()
        states, starts = ddim(model, tables["alphas_bar"], steps, float(eta[3:]), clip == "clip", x_T, z)
        for name, value, slack in (("traj", states, 1), ("x0", starts, 10)):
            # Early x0 magnify the network's round-off by sqrt(1/alpha_bar), which the final x does not show.
            expected = torch.tensor(recorded[f"{run['key']}/{name}"])
            size = slack * max(1, expected.abs().max().item() / run["absmax_final"])
            report(f"{run['key']}/{name}", worst(value, expected), 10 * run["final_maxabs_f32_vs_f64"] * size)


def summary(value):
    flat = value.double().flatten()
    return {
        "sum": flat.sum().item(), "sumabs": flat.abs().sum().item(), "sumsq": (flat * flat).sum().item(),
        "first": flat[0].item(), "last": flat[-1].item(),
    }


def errors(single, exact):
    return [worst(single, exact), exact.abs().max().item()]


def random_model(config=CONFIG):
    """Every trained parameter N(0, 0.05), norm weights around 1."""
    torch.manual_seed(SEED)
    model = UNet(**config)
    norms = {id(m.weight) for m in model.modules() if isinstance(m, nn.GroupNorm)}
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(1.0 if id(parameter) in norms else 0.0, 0.05)
    return model


def per_tensor(name, value, single, exact):
    entry = {"shape": list(value.shape), "param": summary(value)}
    if name in single["grad"]:
        entry["grad"] = summary(single["grad"][name])
        entry["grad_f32_vs_f64"] = errors(single["grad"][name], exact["grad"][name])
        for key in ("after1", "after3", *EMA_DECAYS):
            entry[key] = summary(single[key][name])
            entry[f"{key}_maxabs_f32_vs_f64"] = worst(single[key][name], exact[key][name])
    return entry


def make_unet(model, reference):
    tensors, batches = {}, []
    for step, prefix in enumerate(("", "step2.", "step3.")):
        t = torch.tensor([7, 613]) if step == 0 else torch.randint(0, CONFIG["T"], (X_SHAPE[0],))
        batch = (torch.randn(X_SHAPE), t, torch.randn(X_SHAPE))
        batches.append(batch)
        tensors.update({f"{prefix}{n}": v for n, v in zip(("x", "t", "target"), batch)})
    single = train(model, batches)
    exact = train(double(model), [(x.double(), t, target.double()) for x, t, target in batches])
    tensors["out"] = single["out"]
    parameters = model.state_dict()
    zero = [n for n, g in exact["grad"].items() if g.abs().max().item() < 1e-12]
    for name, value in parameters.items():
        tensors[f"param/{name}"] = value
        if name not in single["grad"]:
            continue
        gradient = single["grad"][name]
        tensors[f"grad/{name}"] = gradient if gradient.numel() <= KEEP_GRAD else gradient.flatten()[:KEEP_GRAD]
        for key in ("after3", *EMA_DECAYS):
            after = single[key][name]
            tensors[f"{key}/{name}"] = after if after.numel() <= KEEP_AFTER else after.flatten()[:KEEP_AFTER]
    write_tensors(os.path.join(HERE, "unet-small.safetensors"), {n: v.numpy() for n, v in tensors.items()})
    manifest = {
        "file": "unet-small.safetensors",
        "split": "tests",
        "config": CONFIG,
        "config_note": "groups: number of groups of every GroupNorm; 32 where a config does not say",
        "x_shape": X_SHAPE,
        "t": batches[0][1].tolist(),
        "init": reference["init"],
        "n_params_incl_table": sum(v.numel() for v in parameters.values()),
        "training": {
            **{k: reference["training"][k] for k in ("optimizer", "grad_clip", "loss", "ema")},
            "losses": single["losses"],
            "losses_f64": exact["losses"],
            "grad_norms_before_clip": single["norms"],
            "grad_norms_f64": exact["norms"],
            "norm_after_clip_step1": single["norm_after_clip"],
        },
        "tensors": {
            **{k: reference["tensors"][k] for k in ("x,t,target", "step2.*, step3.*", "out", "param/NAME")},
            "grad/NAME": f"dL/dparam at step 1, before clipping (only the first {KEEP_GRAD} flat values if larger)",
            "after3/NAME": f"parameters after 3 steps (only the first {KEEP_AFTER} flat values if larger)",
            "ema9999/NAME, ema9/NAME": "EMA (0.9999, 0.9) after 3 steps, same truncation as after3",
        },
        "out_f32_vs_f64": errors(single["out"], exact["out"]),
        "zero_gradient_params": zero,
        "zero_gradient_note": "mathematically zero gradient: AttnBlock proj_k.bias (softmax shift invariance). Their "
        "float32 gradients are round-off, and Adam turns round-off into steps up to lr: compare these after3/ema "
        "values only to within 3*lr*1.1. Use *_maxabs_f32_vs_f64 (PyTorch float32 against float64 on the same 3 "
        "steps) to set other tolerances. Sums and errors in per_tensor are over whole tensors.",
        "per_tensor": {n: per_tensor(n, v, single, exact) for n, v in parameters.items()},
    }
    write_json(os.path.join(HERE, "unet-small.manifest.json"), manifest)
    print(f"losses {single['losses']}, out error {manifest['out_f32_vs_f64']}, zero gradients {zero}")


def gradients(model, x, t, target):
    out = model(x, t)
    F.mse_loss(out, target).backward()
    return out.detach(), {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def make_attention(init):
    model = random_model(ATTENTION_CONFIG)
    x, target = torch.randn(ATTENTION_X_SHAPE), torch.randn(ATTENTION_X_SHAPE)
    t = torch.tensor([949, 971, 997])
    out, single = gradients(copy.deepcopy(model), x, t, target)
    exact_out, exact = gradients(double(model), x.double(), t, target.double())
    tensors = {"x": x, "t": t, "target": target, "out": out}
    tensors.update({f"param/{n}": v for n, v in model.state_dict().items()})
    tensors.update({f"grad/{n}": g.flatten()[:KEEP_GRAD] if g.numel() > KEEP_GRAD else g for n, g in single.items()})
    write_tensors(os.path.join(HERE, "unet-attention.safetensors"), {n: v.numpy() for n, v in tensors.items()})
    manifest = {
        "file": "unet-attention.safetensors",
        "split": "tests",
        "config": ATTENTION_CONFIG,
        "x_shape": ATTENTION_X_SHAPE,
        "t": t.tolist(),
        "init": init,
        "tensors": {
            "x,t,target,out,param/NAME": "as in unet-small",
            "grad/NAME": f"dL/dparam (only the first {KEEP_GRAD} flat values if larger)",
        },
        "out_f32_vs_f64": errors(out, exact_out),
        "zero_gradient_params": [n for n, g in exact.items() if g.abs().max().item() < 1e-12],
        "per_tensor": {
            n: {"shape": list(g.shape), "grad": summary(g), "grad_f32_vs_f64": errors(g, exact[n])}
            for n, g in single.items()
        },
    }
    write_json(os.path.join(HERE, "unet-attention.manifest.json"), manifest)
    print(f"attention: out error {manifest['out_f32_vs_f64']}")


def make_pmv(model, tables, recorded):
    x, t = torch.tensor(recorded["pmv/x_t"][:, :, :8, :8]).contiguous(), torch.tensor(recorded["pmv/t"])
    output = model(x, t).detach()
    made = {"pmv/x_t": x, "pmv/t": t, "pmv/model_out": output}
    for kind in ("epsilon", "xstart", "xprev"):
        for name, value in zip(("x0_pred", "mean_repo", "mean_clipped_x0"), posterior(tables, kind, x, t, output)):
            made[f"pmv/{kind}/{name}"] = value
    for kind in ("fixedlarge", "fixedsmall"):
        made[f"pmv/{kind}/log_var"] = torch.tensor(recorded[f"pmv/{kind}/log_var"])
    return made


def make_ancestral(model, recorded):
    schedule, var_type = "linear20_repo", "fixedlarge"
    tables = tables_of(recorded, schedule)
    x_T, z = torch.randn(X_SHAPE), torch.randn([20, *X_SHAPE])
    made, runs = {f"ancestral/{schedule}/x_T": x_T, f"ancestral/{schedule}/z": z}, []
    for variant in ("repo", "clipped"):
        states, clipped = ancestral(model, tables, var_type, variant, x_T, z)
        exact, _ = ancestral(double(model), tables, var_type, variant, x_T.double(), z.double())
        made[f"ancestral/{schedule}/{var_type}/{variant}/traj"] = states
        made[f"ancestral/{schedule}/{var_type}/{variant}/final_clipped"] = states[-1].clamp(-1, 1)
        run = {
            "schedule": schedule, "var_type": var_type, "variant": variant,
            "absmax_final": states[-1].abs().max().item(),
            "final_maxabs_f32_vs_f64": worst(states[-1], exact[-1]),
        }
        if variant == "clipped":
            run["n_values_clipped_over_all_steps"] = clipped
        runs.append(run)
    return made, runs


def make_ddim(model, alphas_bar):
    key, steps = "ddim/uniform/eta0.5/clip", list(range(0, 1000, 100))[::-1]
    x_T, z = torch.randn(X_SHAPE), torch.randn([len(steps), *X_SHAPE])
    states, starts = ddim(model, alphas_bar, steps, 0.5, True, x_T, z)
    exact, exact_starts = ddim(double(model), alphas_bar, steps, 0.5, True, x_T.double(), z.double())
    made = {
        "ddim/uniform/x_T": x_T, "ddim/uniform/z": z, "ddim/uniform/timesteps": torch.tensor(steps),
        f"{key}/traj": states, f"{key}/x0": starts,
    }
    run = {
        "key": key, "steps": len(steps), "absmax_final": states[-1].abs().max().item(),
        "final_maxabs_f32_vs_f64": worst(states[-1], exact[-1]),
        "traj_maxabs_f32_vs_f64": worst(states, exact),
        "x0_maxabs_f32_vs_f64": worst(starts, exact_starts),
    }
    return made, [run]


def make_diffusion(model, reference, recorded):
    made = make_pmv(model, tables_of(recorded, "linear1000_repo"), recorded)
    walks, ancestral_runs = make_ancestral(model, recorded)
    jumps, ddim_runs = make_ddim(model, tables_of(recorded, "linear1000_repo")["alphas_bar"])
    made.update(walks)
    made.update(jumps)
    tensors = {n: v.contiguous().numpy() for n, v in made.items()}
    tensors.update({n: a for n, a in recorded.items() if n.startswith(("schedule/", "q_sample/"))})
    write_tensors(os.path.join(HERE, "diffusion.safetensors"), tensors)
    manifest = {
        **reference,
        "split": "tests",
        "model": {**reference["model"], "config": CONFIG},
        "x_shape": X_SHAPE,
        "ancestral_runs": ancestral_runs,
        "ddim_runs": ddim_runs,
        "ddim_note": "x0 of early steps magnifies the network's round-off by sqrt(1/alpha_bar), more than the final x "
        "shows: its budget is 10 x0_maxabs_f32_vs_f64, that of traj 10 traj_maxabs_f32_vs_f64.",
        "tensors": {
            n: [str(a.dtype), list(a.shape)] for n, a in tensors.items() if not n.startswith("schedule/")
        },
    }
    write_json(os.path.join(HERE, "diffusion.manifest.json"), manifest)
    print(json.dumps([*ancestral_runs, *ddim_runs], indent=1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reference")
    parser.add_argument("--check-only", action="store_true")
    parser.add_argument("--attention-only", action="store_true", help="needs the manifest of REFERENCE_DIR alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    made_with = f"PyTorch {torch.__version__} (CPU, 1 thread), numpy {np.__version__}"
    if options.attention_only:
        with open(os.path.join(options.reference, "unet-small.manifest.json")) as file:
            make_attention(json.load(file)["init"])
        print("total bytes", write_sums(HERE, made_with))
        return
    full, unet_manifest, unet_tensors = load_reference_unet(options.reference)
    with open(os.path.join(options.reference, "diffusion.manifest.json")) as file:
        manifest = json.load(file)
    recorded = read_tensors(os.path.join(options.reference, "diffusion.safetensors"))
    check_training(full, unet_manifest, unet_tensors)
    check_diffusion(full, manifest, recorded)
    if options.check_only:
        return
    model = random_model()
    make_unet(model, unet_manifest)
    make_diffusion(model, manifest, recorded)
    make_attention(unet_manifest["init"])
    print("total bytes", write_sums(HERE, made_with))


if __name__ == "__main__":
    main()
