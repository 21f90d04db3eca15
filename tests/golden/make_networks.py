"""Records small networks of other code bases: `python3 make_networks.py REFERENCE_DIR`.

REFERENCE_DIR holds recorded runs of the original code (networks/ and presets/). The networks below are written
for this file; each first repeats such a run, and the script stops where it differs. `networks/` then gets smaller ones:
inputs, outputs and the first values of every gradient. Their weights are those of the recipe in
commands/verify/inception.ts, or uniform within a spread, and in no file.

The error of PyTorch's float32 is the worst of three ways that it computes in: with oneDNN, without it, and channels
last. One number's error is a draw, and one way's may be near nothing.
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F

from golden_files import read_tensors, write_tensors

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "networks")
FIRST = 8
torch.set_num_threads(1)


# ---- networks: functions of w, which gives a weight by its name and shape ----
def edm2(w, x, sigma, labels, config, training=False):
    """Precond of NVlabs/edm2 (Karras et al. 2024), without its estimate of uncertainty."""
    widths = [config["model_channels"] * m for m in config["channel_mult"]]
    emb, head = max(widths), config["channels_per_head"]
    res = config["img_resolution"]

    def normalized(v, dims):
        length = v.square().sum(dims, keepdim=True).sqrt()
        return v / (1e-4 + length * np.sqrt(length.numel() / v.numel()))

    def conv(name, v, out, kernel=0, gain=1):
        own = normalized(w(name + ".weight", out, v.shape[1], *[kernel] * (2 if kernel else 0)),
                         [1, 2, 3] if kernel else [1])
        own = own * (gain / np.sqrt(own[0].numel()))
        return F.conv2d(v, own, padding=kernel // 2) if kernel else v @ own.t()

    silu = lambda v: F.silu(v) / 0.596
    mix = lambda a, b, t: (a + t * (b - a)) / np.sqrt((1 - t) ** 2 + t ** 2)

    def block(name, v, e, out, down, way="", attends=False):
        if way == "down":
            v = F.avg_pool2d(v, 2)
        if way == "up":
            v = v.repeat_interleave(2, 2).repeat_interleave(2, 3)
        skip = v.shape[1] != out
        if down:
            v = normalized(conv(name + ".conv_skip", v, out, 1) if skip else v, [1])
        y = conv(name + ".conv_res0", silu(v), out, 3)
        c = conv(name + ".emb_linear", e, out, gain=w(name + ".emb_gain")) + 1
        y = conv(name + ".conv_res1", silu(y * c[:, :, None, None]), out, 3)
        if skip and not down:
            v = conv(name + ".conv_skip", v, out, 1)
        v = mix(v, y, 0.3)
        if attends:
            n, c, h, width = v.shape
            y = conv(name + ".attn_qkv", v, 3 * c, 1).reshape(n, c // head, head, 3, h * width)
            q, k, u = normalized(y, [2]).unbind(3)
            y = (k.transpose(2, 3) @ q / np.sqrt(head)).softmax(2)
            v = mix(v, conv(name + ".attn_proj", (u @ y).reshape(v.shape), c, 1), 0.3)
        return v.clip(-256, 256)

    s = sigma.reshape(-1, 1, 1, 1)
    root = (s ** 2 + 0.25).sqrt()
    angle = torch.outer(sigma.log() / 4, w("unet.emb_fourier.freqs", widths[0])) + w("unet.emb_fourier.phases", widths[0])
    e = conv("unet.emb_noise", angle.cos() * np.sqrt(2), emb)
    e = mix(e, conv("unet.emb_label", labels * np.sqrt(labels.shape[1]), emb), 0.5)
    e = silu(e)
    h = torch.cat([x / root, torch.ones_like(x[:, :1])], 1)
    skips = []
    for level, out in enumerate(widths):
        side, attends = res >> level, (res >> level) in config["attn_resolutions"]
        name = f"unet.enc.{side}x{side}_"
        h = conv(name + "conv", h, out, 3) if level == 0 else block(name + "down", h, e, h.shape[1], True, "down")
        skips.append(h)
        for i in range(config["num_blocks"]):
            h = block(f"{name}block{i}", h, e, out, True, attends=attends)
            skips.append(h)
    for level, out in reversed(list(enumerate(widths))):
        side, attends = res >> level, (res >> level) in config["attn_resolutions"]
        name = f"unet.dec.{side}x{side}_"
        if level == len(widths) - 1:
            h = block(name + "in0", h, e, h.shape[1], False, attends=True)
            h = block(name + "in1", h, e, h.shape[1], False)
        else:
            h = block(name + "up", h, e, h.shape[1], False, "up")
        for i in range(config["num_blocks"] + 1):
            a, b = h, skips.pop()
            size = np.sqrt((a.shape[1] + b.shape[1]) / 0.5) / 2
            h = torch.cat([a * (size / np.sqrt(a.shape[1])), b * (size / np.sqrt(b.shape[1]))], 1)
            h = block(f"{name}block{i}", h, e, out, False, attends=attends)
    out = conv("unet.out_conv", h, x.shape[1], 3, gain=w("unet.out_gain"))
    return 0.25 / root ** 2 * x + s * 0.5 / root * out


def dit(w, x, t, y, config, training=False):
    """DiT of facebookresearch/DiT (Peebles and Xie 2022)."""
    patch, width, heads = config["patch_size"], config["hidden_size"], config["num_heads"]
    n, channels, side = x.shape[0], x.shape[1], x.shape[2] // patch
    hidden, parts = int(width * config["mlp_ratio"]), 2 if config["learn_sigma"] else 1
    linear = lambda name, v, out: F.linear(v, w(name + ".weight", out, v.shape[-1]), w(name + ".bias", out))
    kernel = w("x_embedder.proj.weight", width, channels, patch, patch)
    h = F.conv2d(x, kernel, w("x_embedder.proj.bias", width), stride=patch).flatten(2).transpose(1, 2)
    h = h + torch.from_numpy(positions(width, side)).to(x.dtype)
    angle = t.double()[:, None] * torch.exp(-np.log(10000) * torch.arange(128, dtype=torch.float64) / 128)
    c = torch.cat([angle.cos(), angle.sin()], 1).to(x.dtype)
    c = linear("t_embedder.mlp.2", F.silu(linear("t_embedder.mlp.0", c, width)), width)
    rows = config["num_classes"] + (config["class_dropout_prob"] > 0)
    c = F.silu(c + w("y_embedder.embedding_table.weight", rows, width)[y])
    norm = lambda v, shift, scale: F.layer_norm(v, [width], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]
    for i in range(config["depth"]):
        name = f"blocks.{i}."
        m = linear(name + "adaLN_modulation.1", c, 6 * width).chunk(6, 1)
        q, k, v = linear(name + "attn.qkv", norm(h, *m[:2]), 3 * width).reshape(n, side * side, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(2, 3) / np.sqrt(width // heads)).softmax(3) @ v
        h = h + m[2][:, None] * linear(name + "attn.proj", mixed.transpose(1, 2).reshape(h.shape), width)
        inner = F.gelu(linear(name + "mlp.fc1", norm(h, *m[3:5]), hidden), approximate="tanh")
        h = h + m[5][:, None] * linear(name + "mlp.fc2", inner, width)
    m = linear("final_layer.adaLN_modulation.1", c, 2 * width).chunk(2, 1)
    out = linear("final_layer.linear", norm(h, *m), patch * patch * channels * parts)
    out = out.reshape(n, side, side, patch, patch, -1)
    return out.permute(0, 5, 1, 3, 2, 4).reshape(n, -1, side * patch, side * patch)


def positions(width, side):
    omega = 1 / 10000 ** (np.arange(width // 4) / (width / 4))
    both = [np.outer(axis.reshape(-1), omega) for axis in np.meshgrid(np.arange(side), np.arange(side))]
    return np.concatenate([f(angle) for angle in both for f in (np.sin, np.cos)], 1)


def full(w, x, t, config, training=False):
    """FullUNet of xianyingkong/dsc-capstone-b05; widths are the config's."""
    widths, columns = config["widths"], config["time_emb_dim"]
    rows = torch.from_numpy(notebook_table(config["n_steps"], columns)).to(x.dtype)[t]
    linear = lambda name, v, out: F.linear(v, w(name + ".weight", out, v.shape[1]), w(name + ".bias", out))

    def unit(name, v, out):
        v = F.conv2d(v, w(name + ".conv.weight", out, v.shape[1], 3, 3), w(name + ".conv.bias", out), padding=1)
        parts = [w(f"{name}.bn.{part}", out) for part in ("weight", "bias", "running_mean", "running_var")]
        w.touched[name + ".bn.num_batches_tracked"] = []
        scale, shift, mean, variance = parts
        # Statistics are written over: copies of these.
        if training:
            mean, variance = (w.written.setdefault(f"{name}.bn.{part}", v.detach().clone())
                              for part, v in (("running_mean", mean), ("running_var", variance)))
        return F.relu(F.batch_norm(v, mean, variance, scale, shift, training))

    def block(name, v, out):
        time = name.replace("b", "te", 1)
        v = v + linear(time + ".2", F.silu(linear(time + ".0", rows, v.shape[1])), v.shape[1])[:, :, None, None]
        return unit(name + ".1", unit(name + ".0", v, out), out)

    last, skips, h = len(widths) - 1, [], x
    for level, out in enumerate(widths):
        h = block("b_mid" if level == last else f"b{level + 1}", F.max_pool2d(h, 2) if level else h, out)
        skips.append(h)
    skips.pop()
    for i in range(last):
        out = widths[last - 1 - i]
        h = F.conv_transpose2d(h, w(f"up{i + 1}.weight", h.shape[1], out, 4, 4), w(f"up{i + 1}.bias", out), stride=2, padding=1)
        h = block(f"b{last + 1 + i}", torch.cat([skips.pop(), h], 1), out)
    return F.conv2d(h, w("conv_out.weight", x.shape[1], widths[0], 3, 3), w("conv_out.bias", x.shape[1]), padding=1)


def notebook_table(timesteps, columns):
    i, j = np.meshgrid(np.arange(timesteps), np.arange(columns), indexing="ij")
    table = (i / 10000 ** (2 * j / columns)).astype(np.float32)
    table[::2] = np.sin(table[::2].astype(np.float64)).astype(np.float32)
    for k in range((timesteps + 1) // 2):
        table[(1 - 2 * k) % timesteps] = np.cos(table[2 * k].astype(np.float64)).astype(np.float32)
    return table


def lucid(w, x, t, config, training=False):
    """Unet of lucidrains/denoising-diffusion-pytorch with learned sinusoids and a learned variance."""
    dim, widths = config["dim"], [config["dim"] * m for m in config["dim_mults"]]
    heads, size = config["attn_heads"], config["attn_dim_head"]

    def conv(name, v, out, kernel=1, bias=True):
        own = w(name + ".weight", out, v.shape[1], kernel, kernel)
        return F.conv2d(v, own, w(name + ".bias", out) if bias else None, padding=kernel // 2)

    linear = lambda name, v, out: F.linear(v, w(name + ".weight", out, v.shape[1]), w(name + ".bias", out))
    norm = lambda name, v: F.normalize(v, dim=1) * w(name + ".g", 1, v.shape[1], 1, 1) * v.shape[1] ** 0.5

    def residual(name, v, out):
        scale, shift = linear(name + ".mlp.1", F.silu(e), 2 * out)[:, :, None, None].chunk(2, 1)
        h = norm(name + ".block1.norm", conv(name + ".block1.proj", v, out, 3))
        h = F.silu(h * (scale + 1) + shift)
        h = F.silu(norm(name + ".block2.norm", conv(name + ".block2.proj", h, out, 3)))
        return h + (v if v.shape[1] == out else conv(name + ".res_conv", v, out))

    def attend(name, v, whole):
        n, c, height, width = v.shape
        memories = w(name + ".mem_kv", *((2, heads, 4, size) if whole else (2, heads, size, 4)))
        qkv = conv(name + ".to_qkv", norm(name + ".norm", v), 3 * heads * size, bias=False)
        q, k, u = qkv.reshape(n, 3, heads, size, height * width).unbind(1)
        mk, mv = (m.transpose(1, 2) if whole else m for m in memories)
        k, u = (torch.cat([m.expand(n, -1, -1, -1), a], 3) for m, a in ((mk, k), (mv, u)))
        if whole:
            shares = (q.transpose(2, 3) @ k * size ** -0.5).softmax(3)
            out = (shares @ u.transpose(2, 3)).transpose(2, 3).reshape(n, heads * size, height, width)
            return v + conv(name + ".to_out", out, c)
        context = k.softmax(3) @ u.transpose(2, 3)
        out = (context.transpose(2, 3) @ (q.softmax(2) * size ** -0.5)).reshape(n, heads * size, height, width)
        return v + norm(name + ".to_out.1", conv(name + ".to_out.0", out, c))

    angle = t[:, None] * w("time_mlp.0.weights", 8)[None] * 2 * np.pi
    e = torch.cat([t[:, None], angle.sin(), angle.cos()], 1)
    e = linear("time_mlp.3", F.gelu(linear("time_mlp.1", e, 4 * dim)), 4 * dim)
    h = first = conv("init_conv", x, dim, 7)
    skips, last = [], len(widths) - 1
    for i, out in enumerate(widths):
        name, own = f"downs.{i}", h.shape[1]
        h = residual(name + ".0", h, own)
        skips.append(h)
        h = attend(name + ".2", residual(name + ".1", h, own), i == last)
        skips.append(h)
        h = conv(name + ".3", h, out, 3) if i == last else conv(name + ".3.1", F.pixel_unshuffle(h, 2), out)
    h = residual("mid_block2", attend("mid_attn", residual("mid_block1", h, h.shape[1]), True), h.shape[1])
    for i in range(len(widths)):
        name, out = f"ups.{i}", ([dim] + widths)[last - i]
        own = widths[last - i]
        h = residual(name + ".0", torch.cat([h, skips.pop()], 1), own)
        h = attend(name + ".2", residual(name + ".1", torch.cat([h, skips.pop()], 1), own), i == 0)
        h = conv(name + ".3", h, out, 3) if i == last else conv(name + ".3.1", F.interpolate(h, scale_factor=2), out, 3)
    h = residual("final_res_block", torch.cat([h, first], 1), dim)
    return conv("final_conv", h, 2 * x.shape[1])


# ---- weights ----
def hashed(name, shape, salt, spread=None):
    """The recipe of commands/verify/inception.ts."""
    count = int(np.prod(shape))
    base = np.uint32(zlib.crc32(name.encode()) ^ salt)
    with np.errstate(over="ignore"):
        h = base + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    u = (h ^ (h >> np.uint32(16))).astype(np.float64) / 2 ** 32
    sign = 2 * u - 1
    if spread is not None:
        value = sign * spread
    elif name.startswith("up") and name.endswith(".weight"):
        value = sign * np.sqrt(6 / (4 * shape[0]))
    elif name.endswith((".conv.weight", "conv_out.weight")) or (name.startswith("te") and name.endswith("weight")):
        value = sign * np.sqrt(6 / (count / shape[0]))
    elif name.endswith(".bn.weight"):
        value = 1 + 0.2 * sign
    elif name.endswith(".running_var"):
        value = 1 + 0.5 * u
    else:
        value = sign * 0.1
    return value.astype(np.float32).reshape(shape)


class Weights:
    """Weights by name, made or read once."""

    def __init__(self, make, dtype):
        self.make, self.dtype, self.tensors, self.touched, self.written = make, dtype, {}, {}, {}

    def __call__(self, name, *shape):
        if name not in self.tensors:
            value = torch.from_numpy(self.make(name, shape).astype(np.float32).copy()).to(self.dtype)
            assert list(value.shape) == list(shape), (name, value.shape, shape)
            self.tensors[name] = value.requires_grad_("running" not in name and "fourier" not in name)
            self.touched[name] = list(shape)
        return self.tensors[name]


def run(network, make, inputs, config, dtype, training=False, last=False):
    """A pass and its backward pass."""
    w = Weights(make, dtype)
    values = {k: torch.from_numpy(v.copy()).to(dtype if v.dtype == np.float32 else torch.int64) for k, v in inputs.items()}
    target = values.pop("target")
    x = values["x"].contiguous(memory_format=torch.channels_last) if last else values["x"]
    values["x"] = x.detach().requires_grad_()
    out = network(w, **values, config=config, training=training)
    loss = ((out - target) ** 2).mean()
    loss.backward()
    grads = {name: v.grad for name, v in w.tensors.items() if v.grad is not None}
    return {"out": out.detach(), "loss": loss.item(), "grad_x": values["x"].grad, "grads": grads, "w": w}


def f32_runs(*args, **kwargs):
    with torch.backends.mkldnn.flags(enabled=False):
        plain = run(*args, torch.float32, **kwargs)
    return [run(*args, torch.float32, **kwargs), plain, run(*args, torch.float32, last=True, **kwargs)]


def error(exact, runs, key=lambda r: r):
    exact = key(exact).double()
    worst = max((key(one).double() - exact).abs().max().item() for one in runs)
    return {"max_abs_f32_vs_f64": worst, "scale_absmax_f64": exact.abs().max().item(), "shape": list(exact.shape)}


def described(network, make, inputs, config, prefix="", training=False):
    """What a manifest tells of a pass, and what its file holds."""
    exact = run(network, make, inputs, config, torch.float64, training)
    runs = f32_runs(network, make, inputs, config, training=training)
    first = lambda v: v.detach().double().numpy().astype(np.float32).reshape(-1)[:FIRST]
    tensors = {
        f"{prefix}out": exact["out"].numpy().astype(np.float32),
        f"{prefix}grad_x": exact["grad_x"].numpy().astype(np.float32),
        **{f"{prefix}grad/{name}": first(v) for name, v in exact["grads"].items()},
    }
    most = max(v.abs().max().item() for v in exact["grads"].values())
    results = {
        "loss": runs[0]["loss"], "loss_f64": exact["loss"],
        "out": error(exact, runs, lambda r: r["out"]), "grad_x": error(exact, runs, lambda r: r["grad_x"]),
        "grad_max_over_all_params_f64": most,
        "grads": {name: error(exact, runs, lambda r: r["grads"][name]) for name in exact["grads"]},
        "zero_gradient_params": [name for name, v in exact["grads"].items() if v.abs().max() < 1e-12 * most],
    }
    if exact["w"].written:
        results["after"] = {name: error(exact, runs, lambda r: r["w"].written[name]) for name in exact["w"].written}
        tensors.update({f"{prefix}after/{name}": first(v) for name, v in exact["w"].written.items()})
    return tensors, results, exact["w"].touched


def check(path, network, inputs, config, prefixes):
    """Repeats a recorded run in f64."""
    kinds = {"F16": np.float16, "F32": np.float32, "I64": np.int64}
    with open(path + ".safetensors", "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    header.pop("__metadata__", None)
    recorded = {name: np.frombuffer(data[slice(*e["data_offsets"])], kinds[e["dtype"]]).reshape(e["shape"])
                for name, e in header.items() if e["dtype"] in kinds}
    with open(path + ".manifest.json") as file:
        manifest = json.load(file)
    make = lambda name, shape: recorded[f"param/{name}"] if f"param/{name}" in recorded else hashed(name, shape, manifest["salt"])
    values = {name: recorded[name] for name in inputs}
    for prefix in prefixes:
        found = run(network, make, values, {**manifest["config"], **config}, torch.float64, prefix == "train.")
        for name in ("out", "grad_x"):
            got, wanted = found[name].numpy(), recorded[prefix + name]
            # What is recorded is float32's.
            assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max(), (path, prefix, name)
        largest = max(v.abs().max().item() for v in found["grads"].values())
        for name, got in found["grads"].items():
            if got.abs().max() < 1e-9 * largest:
                continue  # Zero in exact arithmetic; round-off is recorded.
            wanted = recorded[f"{prefix}grad/{name}"].reshape(-1)
            got = got.numpy().reshape(-1)[:len(wanted)]
            most = max(np.abs(wanted).max(), 1e-5 * found["grads"][name].abs().max().item(), 1e-9)
            assert np.abs(got - wanted).max() <= 1e-3 * most, (path, prefix, name)
    print("repeated", os.path.basename(path))


def record(name, family, source, network, inputs, config, passes=("",), spread=None):
    salt = zlib.crc32(name.encode())
    make = lambda own, shape: hashed(own, shape, salt, spread)
    tensors, results = dict(inputs), {}
    for one in passes:
        prefix = f"{one}." if one else ""
        made, found, touched = described(network, make, inputs, config, prefix, one == "train")
        tensors.update(made)
        results.update({one: found} if one else found)
    state = {**({"time_embed.weight": [config["n_steps"], config["time_emb_dim"]]} if family == "full" else {}), **touched}
    if family == "dit":
        side = config["input_size"] // config["patch_size"]
        state["pos_embed"] = [1, side * side, config["hidden_size"]]
    write_tensors(os.path.join(HERE, name + ".safetensors"), tensors)
    manifest = {
        "file": name + ".safetensors", "family": family, "case": name, "source": source, "salt": salt,
        "config": {key: value for key, value in config.items() if key != "widths"},
        "weight_recipe": {"spread": spread}, "state_dict": list(state.items()), "results": results,
        "passes": [{"name": one, "prefix": f"{one}." if one else "", "mode": "train" if one == "train" else "eval", "grad": True}
                   for one in passes],
    }
    with open(os.path.join(HERE, name + ".manifest.json"), "w") as file:
        json.dump(manifest, file, separators=(",", ":"))
        file.write("\n")


def main(reference):
    nets, presets = os.path.join(reference, "networks"), os.path.join(reference, "presets")
    at = lambda folder, name: os.path.join(folder, name)
    check(at(nets, "edm2-unet"), edm2, ["x", "sigma", "labels", "target"], {}, [""])
    check(at(nets, "dit-image"), dit, ["x", "t", "y", "target"], {}, [""])
    check(at(presets, "lucidrains-fourier-learned-variance"), lucid, ["x", "t", "target"], {}, [""])
    check(at(presets, "full-unet"), full, ["x", "t", "target"], {"widths": [64, 128, 256, 512, 1024]}, ["eval.", "train."])

    draw = np.random.RandomState(7)
    images = lambda *shape: draw.randn(*shape).astype(np.float32)
    record("edm2-small", "edm2", "NVlabs/edm2 Precond", edm2,
           {"x": images(2, 1, 8, 8), "target": images(2, 1, 8, 8), "sigma": np.float32([0.3, 2.5]), "labels": np.float32(np.eye(3)[:2])},
           {"img_resolution": 8, "img_channels": 1, "label_dim": 3, "logvar_channels": 0, "sigma_data": 0.5, "model_channels": 4,
            "channel_mult": [1, 2], "num_blocks": 1, "attn_resolutions": [4], "channels_per_head": 4}, spread=1.5)
    record("dit-small", "dit", "facebookresearch/DiT DiT", dit,
           {"x": images(2, 1, 6, 6), "target": images(2, 2, 6, 6), "t": np.int64([3, 611]), "y": np.int64([1, 4])},
           {"input_size": 6, "patch_size": 2, "in_channels": 1, "hidden_size": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 2.0,
            "class_dropout_prob": 0.1, "num_classes": 4, "learn_sigma": True}, spread=0.5)
    record("lucid-small", "lucidrains", "lucidrains/denoising-diffusion-pytorch Unet", lucid,
           {"x": images(2, 1, 8, 8), "target": images(2, 2, 8, 8), "t": np.float32([0.25, -1.125])},
           {"dim": 4, "dim_mults": [1, 2], "channels": 1, "learned_variance": True, "learned_sinusoidal_cond": True,
            "attn_heads": 2, "attn_dim_head": 4}, spread=0.5)
    record("full-small", "full", "xianyingkong/dsc-capstone-b05 FullUNet, of smaller widths", full,
           {"x": images(3, 1, 8, 8), "target": images(3, 1, 8, 8), "t": np.int64([0, 7, 19])},
           {"in_c": 1, "out_c": 1, "n_steps": 20, "time_emb_dim": 6, "widths": [4, 8, 8]}, passes=("eval", "train"))


if __name__ == "__main__":
    main(sys.argv[1])
