#!/usr/bin/env python3
"""Trains prompts, P-tuning, LoRA, DoRA, VeRA and (IA)3 with PEFT on the tiny Llama, GPT-2, BERT and BERT's relatives of this
folder, and checks with PEFT what promptshift writes.

Run (CPU, a minute; no network, no downloaded weights), with the packages of make_peft.py:

    /tmp/v/bin/python tests/golden/make_peft_networks.py                  # writes peft_{llama,gpt2,bert,…}_tiny/
    /tmp/v/bin/python tests/golden/make_peft_networks.py check EXPORTED   # EXPORTED/{llama,gpt2,bert,…}_tiny/*
    /tmp/v/bin/python tests/golden/make_peft_networks.py own EXPORTED     # outputs of what promptshift tuned

The first writes a folder for each method, as `save_pretrained` lays it out, and references of PEFT's outputs with
it: `adapters.safetensors` (logits at the targets) and `adapters.json` (greedy outputs, or a head's answers, with
their log-probabilities). `check` loads the folders that promptshift wrote under the same names, runs the same
inputs, compares with the references, prints the largest differences, and fails where one is above 1e-4 or an output
differs. `own` does the same with what promptshift tuned itself and exported (`own_*`), and writes what PEFT makes of
it as own.safetensors and own.json, for promptshift's test to be held against.

Two runs with the same versions on the same machine write the same bytes; another CPU may differ in the last bits.
"""

import json
import math
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from make_peft import HERE, TOLERANCE
from peft import (
    IA3Config, LoraConfig, PeftModel, PromptEncoderConfig, PromptTuningConfig, TaskType, VeraConfig, get_peft_model,
)
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification

SEED, STEPS, LEARNING_RATE, MAX_NEW, LONGEST_ANSWER, NOWHERE = 11, 4, 0.1, 10, 30, -1e9
NETWORKS = ["llama_tiny", "gpt2_tiny", "bert_tiny", "roberta_tiny", "distilbert_tiny", "modernbert_tiny"]
CAUSAL = {"task_type": TaskType.CAUSAL_LM}
CLASSES = {"task_type": TaskType.SEQ_CLS}
# Without a task: PEFT's wrapper for QUESTION_ANS drops token_type_ids, see drops_segments().
SPANS = {"task_type": None, "modules_to_save": ["qa_outputs"]}
# Where there are none to drop.
PLACES = {"task_type": TaskType.QUESTION_ANS}


def methods(network):
    """By name. Those of PEFT's own defaults are called by the method alone."""
    prompts = {
        "prompt": PromptTuningConfig(**CAUSAL, num_virtual_tokens=5),
        "ptuning": PromptEncoderConfig(**CAUSAL, num_virtual_tokens=4, encoder_hidden_size=16),
    }
    match network:
        case "llama_tiny":
            return prompts | {
                "lora": LoraConfig(**CAUSAL, r=4, lora_alpha=6),
                "lora_every": LoraConfig(**CAUSAL, r=4, use_rslora=True, target_modules="all-linear"),
                # One block, ranks and alphas by pattern.
                "lora_partial": LoraConfig(
                    **CAUSAL, r=4, lora_alpha=6, target_modules=["q_proj", "o_proj", "down_proj"],
                    layers_to_transform=[1], rank_pattern={"down_proj": 2, "self_attn.o_proj": 3},
                    alpha_pattern={"^model.layers.1.self_attn.q_proj": 5},
                ),
                "dora": LoraConfig(**CAUSAL, r=4, use_dora=True, use_rslora=True, target_modules="all-linear"),
                "vera": VeraConfig(**CAUSAL, r=8, target_modules=["q_proj", "v_proj", "down_proj"]),
                # One block, which here only LoRA can be on.
                "vera_partial": VeraConfig(**CAUSAL, r=8, layers_to_transform=[1], save_projection=False),
                "ia3": IA3Config(**CAUSAL),
            }
        case "gpt2_tiny":
            return prompts | {
                "lora": LoraConfig(**CAUSAL, r=4, lora_alpha=6, fan_in_fan_out=True),
                "lora_pattern": LoraConfig(
                    **CAUSAL, r=4, lora_alpha=6, fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc"],
                    rank_pattern={"attn.c_proj": 2}, use_rslora=True,
                ),
                "dora": LoraConfig(**CAUSAL, r=4, lora_alpha=6, fan_in_fan_out=True, use_dora=True),
                # Of c_attn as one, which is no VeRA of queries, keys and values.
                "vera": VeraConfig(**CAUSAL, r=8, fan_in_fan_out=True, target_modules=["c_attn"]),
                # Scales of queries too, as c_attn is all three.
                "ia3": IA3Config(**CAUSAL, fan_in_fan_out=True),
            }
        case "bert_tiny":
            return {
                "lora": LoraConfig(**CLASSES, r=4, lora_alpha=6),
                "lora_spans": LoraConfig(**SPANS, r=4, lora_alpha=6, target_modules=["query", "key", "dense"]),
                "dora": LoraConfig(**CLASSES, r=4, lora_alpha=6, use_dora=True),
                "vera": VeraConfig(**CLASSES, r=8, target_modules=["query", "output.dense"]),
                # Of what enters attention's output too, as 'output.dense' is the end of its name.
                "ia3": IA3Config(**CLASSES),
            }
        case "roberta_tiny":
            return {
                "lora": LoraConfig(**CLASSES, r=4, lora_alpha=6),
                "lora_spans": LoraConfig(**PLACES, r=4, lora_alpha=6, target_modules=["query", "key", "output.dense"]),
                "ia3": IA3Config(**CLASSES),
            }
        case "distilbert_tiny":
            # PEFT has no defaults for it, and saves one of a classifier's two maps by itself.
            both = CLASSES | {"modules_to_save": ["pre_classifier", "classifier"]}
            return {
                "lora": LoraConfig(**both, r=4, lora_alpha=6, target_modules=["q_lin", "v_lin"]),
                "lora_spans": LoraConfig(**PLACES, r=4, lora_alpha=6, target_modules=["k_lin", "out_lin", "lin1", "lin2"]),
                "ia3": IA3Config(**both, target_modules=["k_lin", "v_lin", "lin2"], feedforward_modules=["lin2"]),
            }
        case "modernbert_tiny":
            # Without (IA)3: a scale of Wqkv is one of queries before they are turned, too.
            return {
                "lora": LoraConfig(**CLASSES, r=4, lora_alpha=6, target_modules=["Wqkv"]),
                "lora_spans": LoraConfig(
                    **PLACES, modules_to_save=["classifier"], r=4, lora_alpha=6, target_modules=["Wqkv", "Wi", "Wo"],
                ),
            }


def backbone(network, config):
    kind = {
        TaskType.CAUSAL_LM: AutoModelForCausalLM, TaskType.SEQ_CLS: AutoModelForSequenceClassification,
        TaskType.QUESTION_ANS: AutoModelForQuestionAnswering, None: AutoModelForQuestionAnswering,
    }[config.task_type]
    # The committed configurations have three classes, where a head of spans has two logits a place.
    two = {"num_labels": 2} if kind is AutoModelForQuestionAnswering else {}
    return kind.from_pretrained(HERE / network, attn_implementation="eager", dtype=torch.float32, **two).eval()


def written(network):
    return json.loads((HERE / network / "reference.json").read_text())


def data(network, config):
    """Inputs and targets, a row each: tokens, a class, or the first and last place of a span."""
    reference = written(network)
    if config.task_type == TaskType.CAUSAL_LM:
        return reference["inputs"], reference["targets"]
    of_spans = config.task_type in (None, TaskType.QUESTION_ANS)
    targets = reference["spans"] if of_spans else [[c] for c in reference["targets"]]
    return reference["input_ids"], targets


def segments(row):
    """Everything behind the first separators, one or two of the last token, is the second text's."""
    at = row.index(row[-1]) + (2 if row[row.index(row[-1]) + 1] == row[-1] and row[0] == 0 else 1)
    return [0] * at + [1] * (len(row) - at)


def logits_of(model, config, x, y):
    """The logits that each target is read from, a row each, of inputs one by one."""
    ids = torch.tensor([x])
    if config.task_type == TaskType.CAUSAL_LM:
        ids = torch.tensor([x + y[:-1]])
        # PEFT's prompts have logits too, before all others.
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -len(y):]
    types = {"token_type_ids": torch.tensor([segments(x)])} if model.config.model_type == "bert" else {}
    out = model(input_ids=ids, attention_mask=torch.ones_like(ids), **types)
    if config.task_type == TaskType.SEQ_CLS:
        return out.logits
    inside = torch.tensor([s == 1 for s in segments(x)])
    inside[-1] = False
    two = torch.cat([out.start_logits, out.end_logits])
    return two.masked_fill(~inside, NOWHERE)


def answer(model, config, x):
    """The most probable output or answer, its log-probability, and the least gap to what is next."""
    if config.task_type == TaskType.CAUSAL_LM:
        made, total, margin = [], 0.0, math.inf
        for _ in range(MAX_NEW):
            ids = torch.tensor([x + made])
            last = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
            best = last.topk(2).values
            margin = min(margin, (best[0] - best[1]).item())
            made.append(last.argmax().item())
            total += last.log_softmax(-1)[made[-1]].item()
        return made, total, margin
    logits = logits_of(model, config, x, [])
    if config.task_type == TaskType.SEQ_CLS:
        best = logits[0].topk(2).values
        place = logits[0].argmax().item()
        return [place], logits[0].log_softmax(-1)[place].item(), (best[0] - best[1]).item()
    first, last = logits
    pairs = [
        ((first[a] + last[b]).item(), a, b)
        for a in range(len(x)) for b in range(a, min(a + LONGEST_ANSWER, len(x)))
        if first[a] > NOWHERE / 2 and last[b] > NOWHERE / 2
    ]
    pairs.sort(reverse=True)
    total, a, b = pairs[0]
    margin = total - pairs[1][0] if len(pairs) > 1 else math.inf
    return [a, b], total - first.logsumexp(-1).item() - last.logsumexp(-1).item(), margin


@torch.no_grad()
def outputs(model, config, x, y):
    pad = lambda rows: torch.cat(  # noqa: E731
        [torch.nn.functional.pad(r, (0, max(q.shape[1] for q in rows) - r.shape[1]), value=NOWHERE) for r in rows]
    )
    logits = pad([logits_of(model, config, a, b) for a, b in zip(x, y, strict=True)])
    answers = [answer(model, config, a) for a in x]
    greedy, logprob, margins = zip(*answers, strict=True)
    return logits.contiguous(), list(greedy), list(logprob), min(margins)


def train(network, name, config, out):
    model = get_peft_model(backbone(network, config), config)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE)
    x, y = data(network, config)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = sum(
            torch.nn.functional.cross_entropy(logits_of(model, config, a, b), torch.tensor(b))
            for a, b in zip(x, y, strict=True)
        )
        loss.backward()
        optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=True)
        (out / name).mkdir(parents=True, exist_ok=True)
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copy(Path(folder) / file, out / name / file)
    # A machine's path has no place in a committed file; sets have no order.
    path = out / name / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = network
    for key in ("target_modules", "feedforward_modules"):
        if isinstance(saved.get(key), list):
            saved[key].sort()
    path.write_text(json.dumps(saved, indent=2) + "\n")


@torch.no_grad()
def drops_segments():
    """The trap: under PEFT's wrapper for QUESTION_ANS it makes no difference which text is the second."""
    config = LoraConfig(task_type=TaskType.QUESTION_ANS)
    model = get_peft_model(backbone("bert_tiny", config), config).eval()
    row = written("bert_tiny")["input_ids"][0]
    one, two = ({"input_ids": torch.tensor([row]), "token_type_ids": torch.tensor([types])}
                for types in (segments(row), [0] * len(row)))
    assert torch.equal(model(**one).start_logits, model(**two).start_logits)
    plain = model.get_base_model()
    assert not torch.allclose(plain(**one).start_logits, plain(**two).start_logits)


def versions():
    return {
        "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "peft": peft.__version__,
    }


def reference(network):
    out = HERE / f"peft_{network}"
    logits, wanted = {}, {"versions": versions(), "model": network, "max_new_tokens": MAX_NEW, "methods": {}}
    for name, config in methods(network).items():
        # The first seed whose answers have no near ties.
        for seed in range(SEED, SEED + 20):
            torch.manual_seed(seed)
            train(network, name, config, out)
            tuned = PeftModel.from_pretrained(backbone(network, config), out / name).eval()
            x, y = data(network, config)
            logits[name], greedy, logprob, margin = outputs(tuned, config, x, y)
            if margin > 1e-3:
                break
        assert margin > 1e-3, (name, margin)
        torch.manual_seed(seed)
        plain, *_ = outputs(backbone(network, config), config, x, y)
        moved = (plain - logits[name]).abs().max().item()
        assert moved > 0.1, f"{name} does not matter"
        wanted["methods"][name] = {
            "seed": seed, "inputs": x, "targets": y, "greedy": greedy, "greedy_logprob": logprob,
            "greedy_smallest_margin": margin,
        }
        print(f"{network} {name}: logits moved by {moved:.2f}; margin {margin:.4f}; {greedy}")
    save_file(logits, out / "adapters.safetensors")
    (out / "adapters.json").write_text(json.dumps(wanted, indent=None) + "\n")


def exported_model(network, folder):
    config = peft.PeftConfig.from_pretrained(folder)
    return config, PeftModel.from_pretrained(backbone(network, config), folder).eval()


def check(exported):
    failed = False
    for network in NETWORKS:
        folder = HERE / f"peft_{network}"
        wanted = json.loads((folder / "adapters.json").read_text())["methods"]
        wanted_logits = load_file(folder / "adapters.safetensors")
        for name, wanted in wanted.items():
            config, model = exported_model(network, exported / network / name)
            logits, greedy, logprob, _ = outputs(model, config, wanted["inputs"], wanted["targets"])
            by_logits = (logits - wanted_logits[name]).abs().max().item()
            by_logprob = max(abs(a - b) for a, b in zip(logprob, wanted["greedy_logprob"], strict=True))
            same = greedy == wanted["greedy"]
            print(f"{network}/{name}: {config.peft_type.value} {config.task_type}; largest difference of logits "
                  f"{by_logits:.1e}, of log-probabilities {by_logprob:.1e}; outputs "
                  f"{'identical' if same else 'DIFFERENT'}")
            failed |= not same or max(by_logits, by_logprob) > TOLERANCE
    if failed:
        sys.exit(1)


def own(exported):
    for network in NETWORKS:
        logits, wanted = {}, {"versions": versions(), "model": network, "max_new_tokens": MAX_NEW, "methods": {}}
        for folder in sorted((exported / network).glob("own_*")):
            config, model = exported_model(network, folder)
            x, y = data(network, config)
            logits[folder.name], greedy, logprob, margin = outputs(model, config, x, y)
            plain, *_ = outputs(backbone(network, config), config, x, y)
            moved = (plain - logits[folder.name]).abs().max().item()
            assert moved > 0.05 and margin > 1e-3, (network, folder.name, moved, margin)
            wanted["methods"][folder.name] = {
                "inputs": x, "targets": y, "greedy": greedy, "greedy_logprob": logprob,
                "greedy_smallest_margin": margin,
            }
            print(f"{network}/{folder.name}: logits moved by {moved:.2f}; margin {margin:.4f}; {greedy}")
        out = HERE / f"peft_{network}"
        save_file(logits, out / "own.safetensors")
        (out / "own.json").write_text(json.dumps(wanted, indent=None) + "\n")


def main():
    assert transformers.__version__.startswith("4."), "see the top of make_t5.py"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    match sys.argv[1:]:
        case []:
            drops_segments()
            for network in NETWORKS:
                reference(network)
        case ["check", exported]:
            check(Path(exported))
        case ["own", exported]:
            own(Path(exported))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
