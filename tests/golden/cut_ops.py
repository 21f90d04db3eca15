"""Copies a choice of operator cases, bit for bit, from the full reference set.

    python3 cut_ops.py REFERENCE_DIR

Every operator once, each variant that differs in kind, the smaller case where there are several.
"""
import json
import os
import sys

from golden_files import read_tensors, write_json, write_tensors

HERE = os.path.dirname(os.path.abspath(__file__))

CASES = """
000.conv2d 002.conv2d 005.conv2d 006.conv2d 007.conv2d 008.conv2d 009.conv2d 010.conv2d 011.conv2d
013.upsample_nearest2x 015.resize_bilinear 016.maxpool2d 017.maxpool2d 018.avgpool2d
021.groupnorm 022.groupnorm 023.groupnorm 024.groupnorm 025.batchnorm_eval 026.layernorm 027.layernorm
029.silu 030.gelu 031.gelu 033.linear 034.linear 037.bmm 038.bmm 040.softmax
041.sdpa 042.sdpa 043.mha_self 045.seed_AttnBlock 047.seed_ResBlock 048.seed_ResBlock
049.seed_UpSample 050.seed_TimeEmbedding 051.dropout_given_mask 052.concat 053.concat
054.mse_loss 055.l1_loss 056.smooth_l1_loss 057.huber_loss
058.fft2 059.ifft2 064.fft_amplitude 065.fft_log1p_amplitude 066.fft_log_amplitude 067.fft_amplitude_l1
clip0 clip1 adam0 adam1 adam2 adam3 ema0 ema1
""".split()


def main(reference):
    with open(os.path.join(reference, "ops.manifest.json")) as file:
        manifest = json.load(file)
    tensors = read_tensors(os.path.join(reference, "ops.safetensors"))
    by_name = {entry["case"]: entry for entry in manifest["cases"]}
    missing = {e["op"] for e in manifest["cases"]} - {by_name[name]["op"] for name in CASES}
    if missing:
        raise ValueError(f"Cannot cut the cases: every operator must be kept, got none of {missing}")
    chosen = set(CASES)
    kept = {name: array for name, array in tensors.items() if name.split("/")[0] in chosen}
    write_tensors(os.path.join(HERE, "ops.safetensors"), kept)
    manifest["cases"] = [by_name[name] for name in CASES]
    manifest["n_cases"] = len(CASES)
    manifest["split"] = "tests"
    write_json(os.path.join(HERE, "ops.manifest.json"), manifest)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: cut_ops.py REFERENCE_DIR")
    main(sys.argv[1])
