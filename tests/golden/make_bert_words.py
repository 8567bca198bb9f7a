#!/usr/bin/env python3
"""Makes a tiny random BERT with its masked-word head and reference values for classes that are words.

Run as make_bert.py, which it borrows from:

    /tmp/v/bin/python tests/golden/make_bert_words.py

Writes, beside this file, bert_words_tiny/: config.json and model.safetensors as save_pretrained lays out a
BertForMaskedLM, vocab.txt, reference.safetensors and reference.json, all described in README.md.
"""

import platform

import make_bert as tiny
import make_t5 as t5
import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

OUT = t5.HERE / "bert_words_tiny"
SEED = 12
WORDS = ["the", "red", "town"]
TARGETS = [0, 2, 1, 1, 0]


def at_masks(model, batch, mask_id, prompt=None):
    """Logits of the classes' words in the masked places; a prompt as make_bert.py's forward has it."""
    model.classifier = lambda pooled: None
    hidden, _, _ = tiny.forward(model, batch, prompt)
    rows, places = (batch["input_ids"] == mask_id).nonzero(as_tuple=True)
    states = hidden[rows, places + (0 if prompt is None else prompt.shape[0])]
    return model.cls(states)


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    g = torch.Generator().manual_seed(SEED)
    tokens = tiny.vocabulary()
    OUT.mkdir(exist_ok=True)
    (OUT / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(OUT / "vocab.txt"), model_max_length=tiny.POSITIONS)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=tiny.D_MODEL,
        num_hidden_layers=tiny.LAYERS,
        num_attention_heads=tiny.HEADS,
        intermediate_size=tiny.D_FF,
        max_position_embeddings=tiny.POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = "eager"
    model = BertForMaskedLM(config).float().eval()
    # Without a pooler, which forward() asks for.
    model.bert.pooler = lambda hidden: None
    tiny.perturb(model, g)
    model.save_pretrained(OUT)
    (OUT / "generation_config.json").unlink(missing_ok=True)

    question, mask, comma, cls, sep = (tokens.index(t) for t in ["?", "[MASK]", ",", "[CLS]", "[SEP]"])
    rows, types = [], []
    for a, b in tiny.PAIRS:
        first, second = (
            tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in (a, b)
        )
        front = [cls] + first + [question, sep]
        back = [mask, comma] + second + [sep]
        rows.append(front + back)
        types.append([0] * len(front) + [1] * len(back))
    width = max(map(len, rows))
    assert width <= tiny.POSITIONS, width
    padded = lambda lists: torch.tensor([l + [0] * (width - len(l)) for l in lists])
    batch = dict(
        input_ids=padded(rows),
        token_type_ids=padded(types),
        attention_mask=padded([[1] * len(row) for row in rows]),
    )
    ids = torch.tensor([tokens.index(word) for word in WORDS])
    labels = torch.tensor(TARGETS)

    everything = at_masks(model, batch, mask)
    theirs = model(**batch).logits[batch["input_ids"] == mask]
    assert torch.allclose(theirs, everything, atol=1e-5), (theirs - everything).abs().max()
    logits = everything[:, ids]
    prompt = torch.randn(tiny.PROMPT_LENGTH, tiny.D_MODEL, generator=g)
    p = prompt.clone().requires_grad_(True)
    logits_p = at_masks(model, batch, mask, p)[:, ids]
    torch.nn.functional.cross_entropy(logits_p, labels, reduction="sum").backward()
    loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    t = {"logits": logits, "loss_sum": loss.reshape(1), "prompt": prompt, "prompt.logits": logits_p,
         "prompt.grad": p.grad}
    save_file({k: v.detach().contiguous() for k, v in t.items()}, OUT / "reference.safetensors")
    t5.write_json(OUT / "reference.json", {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "pairs": tiny.PAIRS,
        "input_ids": rows,
        "words": WORDS,
        "targets": TARGETS,
    })
    print(OUT, width, "tokens")


if __name__ == "__main__":
    main()
