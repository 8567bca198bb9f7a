#!/usr/bin/env python3
"""Makes a tiny random BERT checkpoint with a WordPiece vocabulary and reference values for both.

Run as make_t5.py, which it borrows from:

    /tmp/v/bin/python tests/golden/make_bert.py

Writes, beside this file, bert_tiny/: config.json and model.safetensors as
save_pretrained lays out a BertForSequenceClassification, tokenizer.json,
vocab.txt, tokenizer_config.json, reference.safetensors and reference.json,
all described in README.md.
"""

import platform

import make_t5 as t5
import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

OUT = t5.HERE / "bert_tiny"
SEED = 11
D_MODEL, HEADS, D_FF, LAYERS, POSITIONS, CLASSES = 32, 4, 48, 2, 48, 3
PAD, CLS, SEP = 0, 2, 3
PROMPT_LENGTH = 5
WORDS = "the cat sat mill red river town un ##able ##s ##ing was 19 ##02 o ' , . ? ! - ( ) 水 café cafe".split()
PAIRS = [
    ("The cat sat.", "the CAT sat"),
    ("Was it unable?", "Cats sat, sitting by the red mill (built 1902)."),
    ("", "river"),
    ("Café, cafe\u0301 & \u6c34\u6c34!", "x\u200by [SEP] [MASK] \U0001f600 \t\n o'town"),
    ("redredredred", "the the the the the the the the the the the the the"),
]
# Pair, class, first and last place of the span (in tokens of the whole input).
TARGETS = [0, 2, 1, 1, 0]
GRADS = [
    "bert.embeddings.word_embeddings.weight",
    "bert.embeddings.position_embeddings.weight",
    "bert.embeddings.token_type_embeddings.weight",
    "bert.embeddings.LayerNorm.weight",
    "bert.encoder.layer.0.attention.self.query.weight",
    "bert.encoder.layer.0.attention.self.key.bias",
    "bert.encoder.layer.1.attention.output.LayerNorm.bias",
    "bert.encoder.layer.1.intermediate.dense.weight",
    "bert.encoder.layer.1.output.dense.bias",
    "bert.pooler.dense.weight",
    "classifier.weight",
    "classifier.bias",
]


def vocabulary():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
    tokens += [t for t in letters + ["##" + c for c in letters] if t not in tokens]
    return tokens


def perturb(model, g):
    """Every parameter random; no norm at 1 and no bias at 0."""
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if "LayerNorm.weight" in name:
            w = 1.0 + 0.25 * r
        elif p.dim() == 1:
            w = 0.2 * r
        elif "embeddings" in name:
            w = 0.7 * r
        else:
            w = 1.4 * p.shape[1] ** -0.5 * r
        p.data.copy_(w)


def forward(model, batch, prompt=None):
    """Hidden states, logits, and the mask; a prompt stands behind the first token, in the first
    segment, and has no positions: what position 0 would add is taken away before."""
    ids, types = batch["input_ids"], batch["token_type_ids"]
    mask = batch["attention_mask"]
    embeds = model.bert.embeddings.word_embeddings(ids)
    places = torch.arange(ids.shape[1]).unsqueeze(0).expand(ids.shape)
    if prompt is not None:
        n, p = ids.shape[0], prompt.shape[0]
        start = model.bert.embeddings.position_embeddings.weight[0]
        own = (prompt - start).unsqueeze(0).expand(n, -1, -1)

        def behind(first, new):
            return torch.cat([first[:, :1], new, first[:, 1:]], dim=1)

        embeds = behind(embeds, own)
        none = torch.zeros(n, p, dtype=torch.long)
        types, places, mask = behind(types, none), behind(places, none), behind(mask, none + 1)
    out = model.bert(
        inputs_embeds=embeds, token_type_ids=types, position_ids=places, attention_mask=mask
    )
    return out.last_hidden_state, model.classifier(out.pooler_output), mask


def span_loss(hidden, head, batch, spans):
    """Start and end logits of the second segment's tokens, and their cross-entropy, summed."""
    logits = hidden @ head[:, :-1].T + head[:, -1]
    inside = (batch["token_type_ids"] == 1) & (batch["input_ids"] != SEP) & (batch["attention_mask"] == 1)
    logits = logits.masked_fill(~inside.unsqueeze(-1), -1e9)
    loss = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2).reshape(-1, 2, hidden.shape[1]).reshape(-1, hidden.shape[1]),
        spans.reshape(-1),
        reduction="sum",
    )
    return logits, loss


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    g = torch.Generator().manual_seed(SEED)
    tokens = vocabulary()
    OUT.mkdir(exist_ok=True)
    (OUT / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(OUT / "vocab.txt"), model_max_length=POSITIONS)
    tokenizer.save_pretrained(OUT)
    for name in ["special_tokens_map.json"]:
        (OUT / name).unlink(missing_ok=True)

    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=D_MODEL,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=D_FF,
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=CLASSES,
    )
    config._attn_implementation = "eager"
    model = BertForSequenceClassification(config).float().eval()
    perturb(model, g)
    model.save_pretrained(OUT)

    # Words that look like special tokens are words here: a text has no markup of its own.
    encoded = [
        tokenizer(
            a,
            b,
            return_offsets_mapping=True,
            return_token_type_ids=True,
            split_special_tokens=True,
        )
        for a, b in PAIRS
    ]
    width = max(len(e["input_ids"]) for e in encoded)
    assert width <= POSITIONS, width

    def padded(key):
        return torch.tensor([e[key] + [0] * (width - len(e[key])) for e in encoded])

    batch = {k: padded(k) for k in ["input_ids", "token_type_ids", "attention_mask"]}
    labels = torch.tensor(TARGETS)
    # The second and the last but one token of the second segment, or its only one.
    spans = []
    for e in encoded:
        inside = [i for i, t in enumerate(e["token_type_ids"]) if t == 1][:-1]
        spans.append([inside[min(1, len(inside) - 1)], inside[max(len(inside) - 2, 0)]])
        spans[-1] = sorted(spans[-1])
    spans = torch.tensor(spans)

    hidden, logits, _ = forward(model, batch)
    loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    theirs = model(**batch, labels=labels)
    assert torch.allclose(theirs.logits, logits, atol=1e-6)
    assert torch.allclose(theirs.loss * len(PAIRS), loss, rtol=1e-5)
    loss.backward()
    named = dict(model.named_parameters())
    t = {"hidden": hidden, "logits": logits, "loss_sum": loss.reshape(1)}
    t |= {"grad." + name: named[name].grad.clone() for name in GRADS}
    t["grad_of_all"] = torch.stack(
        [p.grad.double().pow(2).sum() for p in named.values()]
    ).sum().sqrt().float().reshape(1)

    prompt = torch.randn(PROMPT_LENGTH, D_MODEL, generator=g)
    p = prompt.clone().requires_grad_(True)
    hidden_p, logits_p, _ = forward(model, batch, p)
    loss_p = torch.nn.functional.cross_entropy(logits_p, labels, reduction="sum")
    loss_p.backward()
    t |= {"prompt": prompt, "prompt.logits": logits_p, "prompt.grad": p.grad}

    head = 0.5 * torch.randn(2, D_MODEL + 1, generator=g)
    h = head.clone().requires_grad_(True)
    model.zero_grad()
    hidden_s, _, _ = forward(model, batch)
    span_logits, span_sum = span_loss(hidden_s, h, batch, spans)
    span_sum.backward()
    t |= {"span.head": head, "span.logits": span_logits, "span.loss_sum": span_sum.reshape(1),
          "span.head.grad": h.grad}

    save_file({k: v.detach().contiguous() for k, v in t.items()}, OUT / "reference.safetensors")
    t5.write_json(OUT / "reference.json", {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "pairs": PAIRS,
        "input_ids": [e["input_ids"] for e in encoded],
        "token_type_ids": [e["token_type_ids"] for e in encoded],
        # In characters of their text.
        "offsets": [e["offset_mapping"] for e in encoded],
        "targets": TARGETS,
        "spans": spans.tolist(),
    })
    print(OUT, width, "tokens")


if __name__ == "__main__":
    main()
