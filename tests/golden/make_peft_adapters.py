#!/usr/bin/env python3
"""Trains LoRA, DoRA, VeRA, (IA)3, P-tuning and prefix tuning with PEFT, and checks with PEFT what promptshift writes.

Run (CPU, seconds; no network, no downloaded weights), with the packages of make_peft.py:

    /tmp/v/bin/python tests/golden/make_peft_adapters.py                  # writes into peft_tiny/
    /tmp/v/bin/python tests/golden/make_peft_adapters.py nano FOLDER      # the same on models/nano
    /tmp/v/bin/python tests/golden/make_peft_adapters.py check FOLDER EXPORTED

The first two write a folder for each method, as `save_pretrained` lays it out, and references of PEFT's
outputs with it: `adapters.safetensors` (teacher-forced logits) and `adapters.json` (greedy outputs with
their log-probabilities). `check` loads the folders that promptshift wrote into EXPORTED under the same
names, runs the same inputs, compares with the references in FOLDER, prints the largest differences, and
fails where one is above 1e-4 or an output differs.

Two runs with the same versions on the same machine write the same bytes; another CPU may differ in the
last bits.
"""

import json
import math
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import make_peft as prompts
import peft
import torch
import transformers
from make_peft import EOS, HERE, MAX_NEW, OUT, PAD, START, TOLERANCE, backbone, pad_right
from peft import (
    IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptEncoderConfig, TaskType, VeraConfig, get_peft_model,
)
from safetensors.torch import load_file, save_file

SEED, STEPS, LEARNING_RATE = 11, 3, 0.1
TINY, NANO = HERE / "t5_v1_1_tiny", HERE.parents[1] / "models" / "nano"
SEQ = {"task_type": TaskType.SEQ_2_SEQ_LM}


def methods(config):
    """For a T5's configuration. A prefix must be told its sizes where the T5 is not square."""
    prefix = {
        **SEQ, "num_virtual_tokens": 4, "token_dim": config.num_heads * config.d_kv,
        "num_attention_heads": config.num_heads,
    }
    blocks = config.num_decoder_layers
    return {
        "lora": LoraConfig(**SEQ, r=4, lora_alpha=6, target_modules=["q", "v", "o", "wi_0", "wo"]),
        "lora_stabilised": LoraConfig(**SEQ, use_rslora=True),
        "dora": LoraConfig(**SEQ, r=4, lora_alpha=6, use_dora=True, target_modules=["k", "v", "wo"]),
        # Layers of three sizes, which read parts of the projections.
        "vera": VeraConfig(**SEQ, r=8, projection_prng_key=3, target_modules=["q", "v", "o", "wi_0", "wo"]),
        "vera_unsaved": VeraConfig(**SEQ, r=8, save_projection=False),
        "ia3": IA3Config(**SEQ),
        "ptuning": PromptEncoderConfig(**SEQ, num_virtual_tokens=4, encoder_hidden_size=16),
        "prefix_odd": PrefixTuningConfig(**prefix, num_layers=blocks + (blocks + 1) % 2),
        "prefix_even": PrefixTuningConfig(**prefix, num_layers=blocks + blocks % 2),
    }


def data(model):
    if model == TINY:
        return prompts.data()
    rows = lambda lengths: [  # noqa: E731
        torch.randint(2, 2304, (n - 1,)).tolist() + [EOS] for n in lengths
    ]
    return pad_right(rows([3, 17, 40, 60])), pad_right(rows([1, 4, 12, 7]))


def train(name, config, x, y, out):
    model = get_peft_model(backbone(), config)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE)
    before = [p.detach().clone() for p in trained]
    for _ in range(STEPS):
        optimizer.zero_grad()
        labels = y.masked_fill(y == PAD, -100)
        model(input_ids=x, attention_mask=(x != PAD).long(), labels=labels).loss.backward()
        optimizer.step()
    if name.startswith("prefix"):
        # The trap: with an even number of layers half of a prefix is never read, so it is never moved.
        parts = 2 * config.num_layers
        moved = (trained[0].detach() != before[0]).view(4, parts, -1).any(2).any(0).tolist()
        blocks = model.config.num_decoder_layers
        read = {(4 * block + i) % parts for block in range(blocks) for i in (0, 1)}
        assert moved == [part in read for part in range(parts)], (name, moved)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=True)
        (out / name).mkdir(parents=True, exist_ok=True)
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copy(Path(folder) / file, out / name / file)
    # A machine's path has no place in a committed file; sets have no order.
    path = out / name / "adapter_config.json"
    written = json.loads(path.read_text())
    written["base_model_name_or_path"] = prompts.MODEL.name
    for key in ("target_modules", "feedforward_modules"):
        if isinstance(written.get(key), list):
            written[key].sort()
    path.write_text(json.dumps(written, indent=2) + "\n")


@torch.no_grad()
def outputs(model, x, y):
    """Teacher-forced logits of the real target positions; greedy ids with their log-probability."""
    labels = y.masked_fill(y == PAD, -100)
    logits = model(input_ids=x, attention_mask=(x != PAD).long(), labels=labels).logits[y != PAD]
    greedy, logprob, margin = [], [], math.inf
    for row in x:
        row = row[row != PAD].unsqueeze(0)
        made, total = [START], 0.0
        while len(made) <= MAX_NEW and made[-1] != EOS:
            step = model(
                input_ids=row, attention_mask=torch.ones_like(row), decoder_input_ids=torch.tensor([made])
            ).logits[0, -1]
            best = step.topk(2).values
            margin = min(margin, (best[0] - best[1]).item())
            made.append(step.argmax().item())
            total += step.log_softmax(-1)[made[-1]].item()
        greedy.append(made[1:])
        logprob.append(total)
    return logits.contiguous(), greedy, logprob, margin


def reference(model, out):
    prompts.MODEL = model
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    x, y = data(model)
    plain, *_ = outputs(backbone(), x, y)
    logits, written = {}, {
        "seed_of_data": SEED,
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "peft": peft.__version__,
        },
        "model": model.name,
        "input_ids": [[t for t in row if t != PAD] for row in x.tolist()],
        "targets": [[t for t in row if t != PAD] for row in y.tolist()],
        "max_new_tokens": MAX_NEW,
        "methods": {},
    }
    for name, config in methods(backbone().config).items():
        # The first seed whose greedy outputs have no near ties.
        for seed in range(SEED, SEED + 20):
            torch.manual_seed(seed)
            train(name, config, x, y, out)
            tuned = PeftModel.from_pretrained(backbone(), out / name).eval()
            logits[name], greedy, logprob, margin = outputs(tuned, x, y)
            if margin > 1e-3:
                break
        moved = (plain - logits[name]).abs().max().item()
        assert moved > 0.1, f"{name} does not matter"
        assert margin > 1e-3, (name, margin)
        written["methods"][name] = {
            "seed": seed, "greedy": greedy, "greedy_logprob": logprob, "greedy_smallest_margin": margin,
        }
        print(f"{name}: logits moved by {moved:.2f}; margin {margin:.4f}; greedy {greedy}")
    save_file(logits, out / "adapters.safetensors")
    (out / "adapters.json").write_text(json.dumps(written, indent=1) + "\n")


def check(folder, exported):
    written = json.loads((folder / "adapters.json").read_text())
    prompts.MODEL = {m.name: m for m in (TINY, NANO)}[written["model"]]
    x, y = pad_right(written["input_ids"]), pad_right(written["targets"])
    wanted_logits = load_file(folder / "adapters.safetensors")
    failed = False
    for name, wanted in written["methods"].items():
        model = PeftModel.from_pretrained(backbone(), exported / name).eval()
        logits, greedy, logprob, _ = outputs(model, x, y)
        by_logits = (logits - wanted_logits[name]).abs().max().item()
        by_logprob = max(abs(a - b) for a, b in zip(logprob, wanted["greedy_logprob"], strict=True))
        same = greedy == wanted["greedy"]
        kind = model.peft_config["default"].peft_type.value
        print(f"{exported / name}: {kind}; largest difference of logits {by_logits:.1e}, of "
              f"log-probabilities {by_logprob:.1e}; greedy outputs {'identical' if same else 'DIFFERENT'}")
        failed |= not same or max(by_logits, by_logprob) > TOLERANCE
    if failed:
        sys.exit(1)


def main():
    assert transformers.__version__.startswith("4."), "see the top of make_t5.py"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    match sys.argv[1:]:
        case []:
            reference(TINY, OUT)
        case ["nano", folder]:
            reference(NANO, Path(folder))
        case ["check", folder, exported]:
            check(Path(folder), Path(exported))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
