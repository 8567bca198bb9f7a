#!/usr/bin/env python3
"""Reference values for heads and scaling as Transformers 5 has them, on the tiny T5s that are committed here.

Run (CPU, seconds; no network, no downloaded weights):

    python3 -m venv /tmp/v5 && /tmp/v5/bin/pip install torch transformers==5.24.0 safetensors numpy
    /tmp/v5/bin/python tests/golden/make_heads.py

Writes, beside this file:
    heads/v1_1.json         config.json of t5_v1_1_tiny as Transformers 5 saves it again
    heads/v1_0.json         likewise of t5_v1_0_tiny
    heads/logits.safetensors
        v1_1, v1_0          logits of the committed weights under these configs
        v1_0_unscaled       of v1.0's weights where scale_decoder_outputs is false
        v1_0_head           of v1.0's weights with a head of its own in the file: the embedding, its rows from
                            last to first
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, T5ForConditionalGeneration

HERE = Path(__file__).resolve().parent
OUT = HERE / "heads"


def weights_of(folder):
    """Without the copies under other names that v1.0's file has."""
    file = folder / "model.safetensors"
    if file.exists():
        return load_file(file)
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    copies = ["lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
    return {name: tensor.contiguous() for name, tensor in weights.items() if name not in copies}


def logits_of(config, weights, reference):
    """Those at real target positions, rows one behind the other."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(config))
        save_file(weights, Path(folder, "model.safetensors"), metadata={"format": "pt"})
        model = T5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    out = []
    with torch.no_grad():
        for x, y in zip(reference["input_ids"], reference["targets"]):
            out.append(model(input_ids=torch.tensor([x]), labels=torch.tensor([y])).logits[0])
    return torch.cat(out).contiguous()


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    found = {}
    for name in ["v1_1", "v1_0"]:
        folder = HERE / f"t5_{name}_tiny"
        with tempfile.TemporaryDirectory() as saved:
            AutoConfig.from_pretrained(folder).save_pretrained(saved)
            shutil.copy(Path(saved, "config.json"), OUT / f"{name}.json")
        config = json.loads((OUT / f"{name}.json").read_text())
        weights = weights_of(folder)
        reference = json.loads((folder / "reference.json").read_text())
        found[name] = logits_of(config, weights, reference)
    found["v1_0_unscaled"] = logits_of({**config, "scale_decoder_outputs": False}, weights, reference)
    head = {"lm_head.weight": weights["shared.weight"].flip(0).contiguous()}
    found["v1_0_head"] = logits_of(config, {**weights, **head}, reference)
    save_file(found, OUT / "logits.safetensors")
    for name, logits in found.items():
        print(name, tuple(logits.shape), logits.flatten()[:3].tolist())


main()
