"""Cuts a recorded network to its main pass: `python3 cut_networks.py SOURCE.safetensors FOLDER`.

FOLDER gets the file and its manifest in the same format: the weights (F16, as rounded before the run), inputs,
output, activations and the first values of every gradient.
"""
import json
import os
import struct
import sys

source, folder = sys.argv[1:]
FIRST = 8
RESULTS = ("out", "loss", "loss_f64", "grad_x", "grad_max_over_all_params_f64", "zero_gradient_params")
FACTS = ("file", "family", "case", "source", "config", "params", "state_dict")

with open(source, "rb") as file:
    size = struct.unpack("<Q", file.read(8))[0]
    header = json.loads(file.read(size))
    data = file.read()
with open(source.replace(".safetensors", ".manifest.json")) as file:
    manifest = json.load(file)
header.pop("__metadata__", None)
others = tuple(one["prefix"] for one in manifest["passes"] if one["prefix"])

tensors, chunks, at = {}, [], 0
for name, tensor in sorted(header.items()):
    if name.startswith(others):
        continue
    start, end = tensor["data_offsets"]
    shape = tensor["shape"]
    if name.startswith("grad/"):
        count = min(FIRST, (end - start) // 4)
        end, shape = start + 4 * count, [count]
    chunks.append(data[start:end])
    tensors[name] = {"dtype": tensor["dtype"], "shape": shape, "data_offsets": [at, at + end - start]}
    at += end - start
text = json.dumps(tensors, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
name = os.path.basename(source)
with open(os.path.join(folder, name), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))

results = manifest["results"]
error = lambda of: {key: of[key] for key in ("max_abs_f32_vs_f64", "scale_absmax_f64", "shape") if key in of}
cut = {key: manifest[key] for key in FACTS if key in manifest}
cut["passes"] = [one for one in manifest["passes"] if not one["prefix"]]
cut["results"] = {key: results[key] for key in RESULTS if key in results}
for key in ("grads", "activations"):
    cut["results"][key] = {name: error(of) for name, of in results[key].items()}
with open(os.path.join(folder, name.replace(".safetensors", ".manifest.json")), "w") as file:
    json.dump(cut, file, separators=(",", ":"))
    file.write("\n")
