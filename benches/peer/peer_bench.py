#!/usr/bin/env python3
"""What a user would run instead: Hugging Face Transformers + PEFT in PyTorch, on the same work.

Install once:  python3 -m venv peer && peer/bin/pip install torch transformers peft pyarrow
Run by         cargo bench --bench peer -- --python peer/bin/python --data DIR
or alone:      peer/bin/python benches/peer/peer_bench.py step prompt
               peer/bin/python benches/peer/peer_bench.py epoch prompt --data DIR
               peer/bin/python benches/peer/peer_bench.py generate --data DIR
DIR holds squad/train.parquet and squad/validation.parquet (rajpurkar/squad on the Hub) and
t5/tokenizer.json (google-t5/t5-small).
Prints one JSON object per run. Weights are random (T5 v1.1 small shape, f32): only speed and memory are
compared, so no checkpoint is needed. Measure both programs in turn, in one go, on a quiet machine, and quote
the ratio: absolute times drift from machine to machine.

step      one optimizer step on fixed shapes: batch 8, 256 input tokens, 16 target tokens, prompt length 100
epoch     the first N rows of squad/train.parquet, real lengths (cut at 512), batch 8, one pass
          --order shuffled (what Trainer does by default) or grouped (group_by_length)
          (step and epoch are without dropout, or with --dropout 0.1, which is T5's own rate)
generate  greedy decoding of the first N rows of squad/validation.parquet, batch 16, exactly 12 new tokens
"""
import argparse, json, os, random, resource, statistics, time


def build(tuning, dropout=0.0):
    import torch
    from transformers import T5Config, T5ForConditionalGeneration
    from transformers.optimization import Adafactor

    torch.manual_seed(0)
    config = T5Config(vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6,
                      feed_forward_proj="gated-gelu", tie_word_embeddings=False, dropout_rate=dropout,
                      decoder_start_token_id=0)
    model = T5ForConditionalGeneration(config)
    rate = 1e-3
    if tuning == "prompt":
        from peft import PromptTuningConfig, TaskType, get_peft_model
        model = get_peft_model(model, PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=100))
        rate = 0.3
    elif tuning == "lora":
        from peft import LoraConfig, TaskType, get_peft_model
        model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_2_SEQ_LM, r=8, lora_alpha=16))
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = Adafactor(trainable, lr=rate, relative_step=False, scale_parameter=False)
    return torch, model, optimizer


def train_step(model, optimizer, batch):
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def step(args):
    torch, model, optimizer = build(args.tuning, args.dropout)
    b, n, t = 8, 256, 16
    batch = dict(input_ids=(torch.arange(b * n) % 30000).reshape(b, n), attention_mask=torch.ones(b, n, dtype=torch.long),
                 labels=(torch.arange(b * t) % 30000).reshape(b, t))
    model.train()
    seconds = []
    for _ in range(args.repeats + 2):
        start = time.perf_counter()
        train_step(model, optimizer, batch)
        seconds.append(time.perf_counter() - start)
    return dict(median_s=statistics.median(seconds[2:]), min_s=min(seconds[2:]))


def rows(args, split):
    import pyarrow.parquet as pq
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(args.data, "t5/tokenizer.json"), pad_token="<pad>", eos_token="</s>")
    table = pq.read_table(os.path.join(args.data, f"squad/{split}.parquet")).slice(0, args.rows).to_pylist()
    cut = lambda text, limit: tokenizer(text, add_special_tokens=False)["input_ids"][: limit - 1] + [1]
    return [(cut(f"question: {r['question']} context: {r['context']}", 512), cut(r["answers"]["text"][0], 64)) for r in table]


def pad(torch, sequences, value):
    longest = max(map(len, sequences))
    return torch.tensor([s + [value] * (longest - len(s)) for s in sequences])


def batches(torch, examples, size, order):
    index = list(range(len(examples)))
    random.Random(0).shuffle(index)
    if order == "grouped":
        index.sort(key=lambda i: -len(examples[i][0]))
    for at in range(0, len(index), size):
        chosen = [examples[i] for i in index[at: at + size]]
        inputs = pad(torch, [c[0] for c in chosen], 0)
        yield dict(input_ids=inputs, attention_mask=(inputs != 0).long(), labels=pad(torch, [c[1] for c in chosen], -100))


def epoch(args):
    torch, model, optimizer = build(args.tuning, args.dropout)
    examples = rows(args, "train")
    model.train()
    done = list(batches(torch, examples, 8, args.order))
    train_step(model, optimizer, done[0])
    start = time.perf_counter()
    for batch in done:
        train_step(model, optimizer, batch)
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, examples_per_s=len(examples) / seconds, order=args.order, rows=len(examples))


def generate(args):
    torch, model, _ = build("full")
    examples = rows(args, "validation")
    model.eval()
    done = list(batches(torch, examples, 16, args.order))
    options = dict(max_new_tokens=12, min_new_tokens=12, do_sample=False, num_beams=1)
    with torch.no_grad():
        model.generate(input_ids=done[0]["input_ids"], attention_mask=done[0]["attention_mask"], **options)
        start = time.perf_counter()
        for batch in done:
            model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], **options)
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, examples_per_s=len(examples) / seconds, order=args.order, rows=len(examples))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["step", "epoch", "generate"])
    parser.add_argument("tuning", nargs="?", default="prompt", choices=["prompt", "full", "lora"])
    parser.add_argument("--data", default="data")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--order", default="shuffled", choices=["shuffled", "grouped"])
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's own choice")
    arguments = parser.parse_args()
    import torch, transformers, peft
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    result = dict(work=arguments.work, tuning=arguments.tuning, threads=torch.get_num_threads())
    result.update({"step": step, "epoch": epoch, "generate": generate}[arguments.work](arguments))
    result.update(peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, torch=torch.__version__,
                  transformers=transformers.__version__, peft=peft.__version__)
    print(json.dumps(result))
