"""Reading and writing of the golden files: safetensors, manifests, and the list of sums.

Format: u64 little-endian header length, JSON header padded with spaces to 8 bytes, raw little-endian data.
"""
import hashlib
import json
import os
import re
import struct

import numpy as np

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
# Wide types first keeps every tensor aligned to its own size.
WRITE_ORDER = ["I64", "F64", "F32"]
METADATA = {"format": "golden", "split": "tests"}


def read_tensors(path):
    """All tensors of a safetensors file, as numpy arrays by name."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write_tensors(path, tensors):
    """Writes numpy arrays: wide types first, names sorted within a type."""
    names_of = {np.dtype(t): name for name, t in DTYPES.items()}
    order = sorted(tensors, key=lambda n: (WRITE_ORDER.index(names_of[tensors[n].dtype]), n))
    header, offset = {"__metadata__": METADATA}, 0
    for name in order:
        array = tensors[name]
        header[name] = {
            "dtype": names_of[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def write_json(path, value):
    """JSON with sorted keys, one space a level, lists of numbers or words on one line."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m[0]), text)
    text = text.replace("[ ", "[").replace(" ]", "]")
    if json.loads(text) != json.loads(json.dumps(value)):
        raise ValueError(f"Cannot write {path}: the short form must read back as the same value")
    with open(path, "w") as file:
        file.write(text + "\n")


def write_sums(folder, made_with):
    """Lists sizes and sha256 of the data files in `manifest.json`."""
    files = []
    names = os.listdir(folder)
    for inner in ("ckpt", "fid"):
        names += [f"{inner}/{name}" for name in os.listdir(os.path.join(folder, inner))]
    for name in sorted(names):
        if name == "manifest.json" or not name.endswith((".json", ".safetensors", ".npz", ".pt")):
            continue
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            data = file.read()
        entry = {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if name.endswith(".safetensors"):
            entry["tensors"] = len(read_tensors(path))
        files.append(entry)
    total = sum(entry["bytes"] for entry in files)
    write_json(
        os.path.join(folder, "manifest.json"),
        {"split": "tests", "made_with": made_with, "total_bytes": total, "files": files},
    )
    return total
