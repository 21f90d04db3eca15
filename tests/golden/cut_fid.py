"""Copies a choice of the fid cases, byte for byte, from the full reference set.

    python3 cut_fid.py REFERENCE_DIR

The smaller cases: full rank twice, rank-deficient once, a score of ten classes.
"""
import json
import os
import shutil
import sys

from golden_files import write_json

HERE = os.path.dirname(os.path.abspath(__file__))

FILES = "fid_0_d8_n200_150.npz fid_1_d64_n500_400.npz fid_3_d64_n40_50.npz is_n1000_c10.npz".split()


def main(reference):
    source, target = os.path.join(reference, "fid"), os.path.join(HERE, "fid")
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "fid.json")) as file:
        index = json.load(file)
    index["split"] = "tests"
    index["fid"] = [case for case in index["fid"] if case["files"][0] in FILES]
    index["kid"] = [case for case in index["kid"] if case["from"] in FILES]
    index["inception_score"] = [case for case in index["inception_score"] if case["file"] in FILES]
    write_json(os.path.join(target, "fid.json"), index)
    for name in FILES:
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: cut_fid.py REFERENCE_DIR")
    main(sys.argv[1])
