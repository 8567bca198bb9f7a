#!/usr/bin/env python3
"""Trains a soft prompt with PEFT on the tiny T5 of this folder, and checks prompts with PEFT.

Run (CPU, seconds; no network, no downloaded weights):

    python3 -m venv /tmp/v
    /tmp/v/bin/pip install torch==2.15.0 transformers==4.57.6 peft==0.21.2 safetensors==0.8.0 numpy==2.4.6
    /tmp/v/bin/python tests/golden/make_peft.py              # writes peft_tiny/trained and peft_tiny/reference.*
    /tmp/v/bin/python tests/golden/make_peft.py check PROMPT # a PEFT folder or a .npy

`check` loads PROMPT with PEFT (a folder) or NumPy (a .npy), runs the same inputs through the same
checkpoint, compares with peft_tiny/reference.*, prints the largest differences, and fails where one
is above 1e-4 or an output differs. It is how what promptshift exports is shown to be what PEFT reads.

Two runs with the same versions on the same machine write the same bytes; another CPU may differ in
the last bits.
"""

import json
import math
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import peft
import torch
import transformers
from peft import PeftModel, PromptTuningConfig, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import T5ForConditionalGeneration

HERE = Path(__file__).resolve().parent
MODEL = HERE / "t5_v1_1_tiny"
OUT = HERE / "peft_tiny"

SEED = 7  # chosen: it passes the checks on the greedy outputs in reference()
PAD, EOS, START = 0, 1, 0
PROMPT_LENGTH, STEPS, LEARNING_RATE = 4, 2, 0.3
MAX_NEW = 16
TOLERANCE = 1e-4


def backbone():
    return T5ForConditionalGeneration.from_pretrained(
        MODEL, attn_implementation="eager", dtype=torch.float32
    ).eval()


def pad_right(rows):
    width = max(map(len, rows))
    return torch.tensor([r + [PAD] * (width - len(r)) for r in rows])


def data():
    """Inputs and targets of the T5 references, padded."""
    written = json.loads((MODEL / "reference.json").read_text())
    return pad_right(written["input_ids"]), pad_right(written["targets"])


def train():
    """PEFT's own defaults: for seq2seq that is twice as many rows as PEFT will ever use."""
    config = PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=PROMPT_LENGTH)
    model = get_peft_model(backbone(), config)
    assert config.num_transformer_submodules == 2
    prompt = model.prompt_encoder["default"].embedding.weight
    assert [n for n, p in model.named_parameters() if p.requires_grad] == [
        "prompt_encoder.default.embedding.weight"
    ]
    before = prompt.detach().clone()
    x, y = data()
    optimizer = torch.optim.Adam([prompt], lr=LEARNING_RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        labels = y.masked_fill(y == PAD, -100)
        loss = model(input_ids=x, attention_mask=(x != PAD).long(), labels=labels).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    moved = (prompt.detach() != before).any(1).tolist()
    # The trap: the second half is never read, so it is never moved.
    assert moved == [True] * PROMPT_LENGTH + [False] * PROMPT_LENGTH, moved
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=True)
        trained = OUT / "trained"
        trained.mkdir(parents=True, exist_ok=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copy(Path(folder) / name, trained / name)
    # A machine's path has no place in a committed file.
    config = json.loads((trained / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = MODEL.name
    (trained / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return losses


def load(path):
    """The tiny model behind the prompt in a PEFT folder, or in a .npy."""
    if path.suffix == ".npy":
        rows = numpy.load(path, allow_pickle=False)
        assert rows.dtype == numpy.float32 and rows.flags["C_CONTIGUOUS"], rows.dtype
        config = PromptTuningConfig(
            task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=rows.shape[0],
            num_transformer_submodules=1,
        )
        model = get_peft_model(backbone(), config)
        model.prompt_encoder["default"].embedding.weight.data.copy_(torch.from_numpy(rows))
        found = list(rows.shape)
    else:
        model = PeftModel.from_pretrained(backbone(), path)
        found = list(load_file(path / "adapter_model.safetensors")["prompt_embeddings"].shape)
    return model.eval(), found


@torch.no_grad()
def outputs(model):
    """Teacher-forced logits of the real target positions; greedy ids with their log-probability."""
    x, y = data()
    labels = y.masked_fill(y == PAD, -100)
    logits = model(input_ids=x, attention_mask=(x != PAD).long(), labels=labels).logits[y != PAD]
    greedy, logprob, margin = [], [], math.inf
    for row in x:
        row = row[row != PAD].unsqueeze(0)
        mask = torch.ones_like(row)
        # Without the cache, which in Transformers 4.57 has num_layers layers where
        # num_decoder_layers are needed.
        made = model.generate(
            input_ids=row, attention_mask=mask, do_sample=False, num_beams=1,
            max_new_tokens=MAX_NEW, use_cache=False,
        )[0]
        again = model(
            input_ids=row, attention_mask=mask, decoder_input_ids=made[:-1].unsqueeze(0)
        ).logits[0]
        best = again.topk(2).values
        margin = min(margin, (best[:, 0] - best[:, 1]).min().item())
        assert again.argmax(-1).tolist() == made[1:].tolist()
        steps = again.log_softmax(-1).gather(-1, made[1:].unsqueeze(-1))
        logprob.append(math.fsum(steps.flatten().tolist()))
        greedy.append(made[1:].tolist())
    return logits, greedy, logprob, margin


def reference(losses):
    model, shape = load(OUT / "trained")
    assert shape == [2 * PROMPT_LENGTH, model.config.d_model], shape
    logits, greedy, logprob, margin = outputs(model)
    assert any(r[-1] == EOS and len(r) > 2 for r in greedy), greedy
    assert any(EOS not in r and len(r) == MAX_NEW for r in greedy), greedy
    assert margin > 5e-3, margin
    plain, *_ = outputs(get_peft_model(backbone(), PromptTuningConfig(
        task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=PROMPT_LENGTH)).eval())
    assert (plain - logits).abs().max() > 0.1, "the prompt does not matter"
    save_file({"logits": logits.contiguous()}, OUT / "reference.safetensors")
    (OUT / "reference.json").write_text(json.dumps({
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
        "prompt_length": PROMPT_LENGTH,
        "training_losses": losses,
        "max_new_tokens": MAX_NEW,
        "greedy": greedy,
        "greedy_logprob": logprob,
        "greedy_smallest_margin": margin,
    }, indent=1) + "\n")
    print(f"losses {losses}; greedy {greedy}; margin {margin:.4f}")


def check(path):
    model, shape = load(path)
    logits, greedy, logprob, _ = outputs(model)
    wanted = json.loads((OUT / "reference.json").read_text())
    by_logits = (logits - load_file(OUT / "reference.safetensors")["logits"]).abs().max().item()
    by_logprob = max(abs(a - b) for a, b in zip(logprob, wanted["greedy_logprob"], strict=True))
    same = greedy == wanted["greedy"]
    print(f"{path}: shape {shape}; largest difference of logits {by_logits:.1e}, of log-probabilities "
          f"{by_logprob:.1e}; greedy outputs {'identical' if same else 'DIFFERENT'}")
    if not same or max(by_logits, by_logprob) > TOLERANCE:
        sys.exit(1)


def main():
    assert transformers.__version__.startswith("4."), "see the top of make_t5.py"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    torch.manual_seed(SEED)
    match sys.argv[1:]:
        case []:
            reference(train())
        case ["check", path]:
            check(Path(path))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
