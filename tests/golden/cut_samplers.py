"""Cuts GenerativeZoo's sampler out of the recorded samplers: `python3 cut_samplers.py REFERENCE_DIR`.

REFERENCE_DIR holds features/samplers.safetensors. `features/samplers` gets its trajectories, reconstructions with the
scores of outliers, and inpaintings, copied bit for bit.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
from golden_files import read_tensors, write_json, write_tensors

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "features")
GROUP = "generativezoo/"


def main(reference):
    source = os.path.join(reference, "features", "samplers")
    tensors = read_tensors(source + ".safetensors")
    with open(source + ".manifest.json") as file:
        manifest = json.load(file)
    of_group = lambda named: {name: value for name, value in named.items() if name.startswith(GROUP)}
    kept = of_group(tensors)
    os.makedirs(HERE, exist_ok=True)
    write_tensors(os.path.join(HERE, "samplers.safetensors"), kept)
    cut = {
        "file": "samplers.safetensors", "split": "tests", "shape": manifest["shape"],
        "what": {name: manifest["what"][name] for name in ("model", GROUP + "*")},
        **{key: of_group(manifest[key]) for key in ("cases", "max_abs_f32_vs_f64", "tensors")},
    }
    write_json(os.path.join(HERE, "samplers.manifest.json"), cut)


if __name__ == "__main__":
    main(sys.argv[1])
