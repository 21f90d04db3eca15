"""Records small DINOv2 vision transformers (Oquab et al. 2023, arXiv 2304.07193): `python3 make_dinov2.py`.

The network is written here in plain PyTorch under the names of facebookresearch/dinov2. Weights are made from a hash
of their names, as in make_networks.py, and so are standardised images; both are in no file. `networks/dinov2.safetensors`
gets the tokens behind each block, and the features: the class token after the last normalisation.

- mlp: GELU, a table of 5x5 positions brought to other grids by the original's interpolation, bicubic with its offset of 0.1.
- gated: SwiGLU as in ViT-g/14, images of the grid that the positions are of.
"""
import json
import os
import sys
import zlib

import numpy as np
import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
from golden_files import write_tensors
from make_networks import error, hashed

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "networks")
EPS, PATCH, HEAD, OFFSET = 1e-6, 14, 64, 0.1
torch.set_num_threads(1)


def positions(table, rows, columns):
    """The class token's, and those of a grid."""
    side = round((table.shape[1] - 1) ** 0.5)
    if rows == columns == side:
        return table
    patches = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = ((rows + OFFSET) / side, (columns + OFFSET) / side)
    patches = F.interpolate(patches, mode="bicubic", scale_factor=scale)
    assert patches.shape[2:] == (rows, columns)
    return torch.cat([table[:, :1], patches.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)], 1)


def dinov2(w, x, depth):
    """Tokens behind each block, and the features."""
    linear = lambda name, v: F.linear(v, w[name + ".weight"], w[name + ".bias"])
    norm = lambda name, v: F.layer_norm(v, v.shape[-1:], w[name + ".weight"], w[name + ".bias"], EPS)
    h = F.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=PATCH)
    rows, columns = h.shape[2:]
    h = torch.cat([w["cls_token"].expand(len(x), -1, -1), h.flatten(2).transpose(1, 2)], 1)
    h = h + positions(w["pos_embed"], rows, columns)
    tokens = []
    for i in range(depth):
        at = f"blocks.{i}."
        n, length, width = h.shape
        qkv = linear(at + "attn.qkv", norm(at + "norm1", h)).reshape(n, length, 3, width // HEAD, HEAD)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(2, 3) / HEAD ** 0.5).softmax(3) @ v
        y = linear(at + "attn.proj", y.transpose(1, 2).reshape(n, length, width))
        h = h + w[at + "ls1.gamma"] * y
        y = norm(at + "norm2", h)
        if at + "mlp.w12.weight" in w:
            a, b = linear(at + "mlp.w12", y).chunk(2, 2)
            y = linear(at + "mlp.w3", F.silu(a) * b)
        else:
            y = linear(at + "mlp.fc2", F.gelu(linear(at + "mlp.fc1", y)))
        h = h + w[at + "ls2.gamma"] * y
        tokens.append(h)
    return tokens, norm("norm", h)[:, 0]


def shapes(width, depth, hidden, side, gated):
    named = {
        "cls_token": [1, 1, width], "pos_embed": [1, 1 + side * side, width], "mask_token": [1, width],
        "patch_embed.proj.weight": [width, 3, PATCH, PATCH], "patch_embed.proj.bias": [width],
    }

    def layer(name, inputs, outputs):
        named.update({name + ".weight": [outputs, inputs], name + ".bias": [outputs]})

    for i in range(depth):
        at = f"blocks.{i}."
        for name in ("norm1", "norm2"):
            named.update({f"{at}{name}.weight": [width], f"{at}{name}.bias": [width]})
        named.update({at + "ls1.gamma": [width], at + "ls2.gamma": [width]})
        layer(at + "attn.qkv", width, 3 * width)
        layer(at + "attn.proj", width, width)
        layer(at + ("mlp.w12" if gated else "mlp.fc1"), width, hidden * (2 if gated else 1))
        layer(at + ("mlp.w3" if gated else "mlp.fc2"), hidden, width)
    named.update({"norm.weight": [width], "norm.bias": [width]})
    return named


def weight(name, shape, salt):
    """The recipe of commands/verify/dinov2.ts: matrices by their fan-in, factors about 1, else within a half."""
    if len(shape) in (2, 4) and name.endswith(".weight"):
        return hashed(name, shape, salt, np.sqrt(6 / np.prod(shape[1:])))
    if name.endswith(".gamma") or ("norm" in name and name.endswith(".weight")):
        return (1 + hashed(name, shape, salt, 0.5).astype(np.float64)).astype(np.float32)
    return hashed(name, shape, salt, 0.5)


def record(case, config, inputs, results, tensors):
    salt = zlib.crc32(case.encode())
    state = shapes(**config)
    for label, sides in inputs.items():
        x = hashed(label, [2, 3, *(PATCH * side for side in sides)], salt, 2)
        made = {}
        for dtype in (torch.float64, torch.float32):
            w = {name: torch.from_numpy(weight(name, shape, salt)).to(dtype) for name, shape in state.items()}
            images = torch.from_numpy(x).to(dtype)
            with torch.no_grad():
                runs = [dinov2(w, images, config["depth"])]
                if dtype == torch.float32:
                    with torch.backends.mkldnn.flags(enabled=False):
                        runs.append(dinov2(w, images, config["depth"]))
            made[dtype] = [{**{f"block{i}": t for i, t in enumerate(tokens)}, "features": out} for tokens, out in runs]
        exact = made[torch.float64][0]
        path = f"{case}/{label}/"
        for name, value in exact.items():
            tensors[path + name] = value.numpy().astype(np.float32)
            results[path + name] = error(exact, made[torch.float32], lambda r: r[name])
    return {"config": config, "salt": salt, "state_dict": list(state.items()), "grids": inputs}


def main():
    results, tensors = {}, {}
    cases = {
        "mlp": record("mlp", {"width": 192, "depth": 2, "hidden": 768, "side": 5, "gated": False},
                      {"smaller": [2, 3], "larger": [6, 4], "equal": [5, 5]}, results, tensors),
        "gated": record("gated", {"width": 128, "depth": 2, "hidden": 344, "side": 3, "gated": True},
                        {"equal": [3, 3]}, results, tensors),
    }
    write_tensors(os.path.join(HERE, "dinov2.safetensors"), tensors)
    manifest = {"file": "dinov2.safetensors", "family": "dinov2", "source": "facebookresearch/dinov2 DinoVisionTransformer, "
                "written in plain PyTorch", "cases": cases, "max_abs_f32_vs_f64": results}
    with open(os.path.join(HERE, "dinov2.manifest.json"), "w") as file:
        json.dump(manifest, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
