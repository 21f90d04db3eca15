"""Cuts what tests need from a recorded UNet2DModel: `python3 cut_diffusers.py SOURCE.safetensors OUT`.

OUT.safetensors has the weights (F16, as rounded before the run), x, t, y, target, out and the first values of
every gradient; OUT.json the config, and PyTorch's own f32 error and the scale of `out` and of gradients.
"""
import json
import struct
import sys

source, out = sys.argv[1:]
FIRST = 8

with open(source, "rb") as file:
    size = struct.unpack("<Q", file.read(8))[0]
    header = json.loads(file.read(size))
    data = file.read()
with open(source.replace(".safetensors", ".manifest.json")) as file:
    manifest = json.load(file)
header.pop("__metadata__", None)

tensors, chunks, at = {}, [], 0
for name, tensor in sorted(header.items()):
    start, end = tensor["data_offsets"]
    shape = tensor["shape"]
    if name.startswith("grad/"):
        count = min(FIRST, (end - start) // 4)
        end, shape = start + 4 * count, [count]
    elif not name.startswith("param/") and name not in ("x", "t", "y", "target", "out"):
        continue
    chunks.append(data[start:end])
    tensors[name] = {"dtype": tensor["dtype"], "shape": shape, "data_offsets": [at, at + end - start]}
    at += end - start
text = json.dumps(tensors, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(f"{out}.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))

results = manifest["results"]
error = lambda result: [result["max_abs_f32_vs_f64"], result["scale_absmax_f64"]]
facts = {
    "source": manifest["source"],
    "config": manifest["config"],
    "out": error(results["out"]),
    "grads": {name: error(result) for name, result in results["grads"].items()},
    "zero": results["zero_gradient_params"],
}
with open(f"{out}.json", "w") as file:
    json.dump(facts, file, indent=1)
    file.write("\n")
