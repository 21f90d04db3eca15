"""Copies the small files of torch.save, byte for byte, from the full reference set, and adds four.

    python3 cut_ckpt.py REFERENCE_DIR

Added: dtypes.pt and dtypes_legacy.pt cut short, and a small module with its optimiser and schedule in both
forms, for the opcodes that only those use.
"""
import hashlib
import json
import os
import shutil
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = ("dtypes", "malicious", "corrupt")
CUT = {"dtypes_truncated.pt": ("dtypes.pt", 2500), "dtypes_legacy_truncated.pt": ("dtypes_legacy.pt", 2200)}


def small_checkpoint():
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.GroupNorm(1, 2), torch.nn.Conv1d(2, 1, 2, bias=False))
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), inner)
    optim = torch.optim.Adam(module.parameters(), lr=1e-3)
    sched = torch.optim.lr_scheduler.LambdaLR(optim, lambda k: min(k, 2) / 2)
    for _ in range(3):
        optim.zero_grad()
        module[0](torch.ones(4, 3)).square().mean().backward()
        optim.step()
        sched.step()
    states = {"net_model": module.state_dict(), "optim": optim.state_dict(), "sched": sched.state_dict()}
    return {**states, "step": 2}


def main(reference):
    source, target = os.path.join(reference, "ckpt"), os.path.join(HERE, "ckpt")
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "ckpt.json")) as file:
        index = json.load(file)
    names = [name for name in index["files"] if name.startswith(KEPT)]
    for name in names:
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    for name, (whole, length) in CUT.items():
        with open(os.path.join(source, whole), "rb") as file, open(os.path.join(target, name), "wb") as out:
            out.write(file.read(length))
    files = {}
    for name in sorted([*names, *CUT]):
        with open(os.path.join(target, name), "rb") as file:
            data = file.read()
        files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    torch.save(small_checkpoint(), os.path.join(target, "module.pt"))
    legacy = os.path.join(target, "module_legacy.pt")
    torch.save(small_checkpoint(), legacy, _use_new_zipfile_serialization=False)
    kept = {key: index[key] for key in ("dtypes.pt", "safety")}
    # Not write_json: the order of the keys is the order in the files.
    with open(os.path.join(target, "ckpt.json"), "w") as file:
        json.dump({"split": "tests", "made_by": "torch.save of torch 1.13", "files": files, **kept}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: cut_ckpt.py REFERENCE_DIR")
    main(sys.argv[1])
