#!/usr/bin/env python3
"""Makes random checkpoints of the published small sizes, with reference values.

    /tmp/v/bin/python tests/golden/make_full_size.py OUT [--tokenizer spiece.model]

Writes OUT/t5_v1_1_small and OUT/t5_v1_0_small, 0.6 GB in all, which are not
committed: the shapes of google/t5-v1_1-small and of t5-small with their
vocabulary of 32,128. v1.1's weights are saved as shards of safetensors with
their index, v1.0's as a pytorch_model.bin. Each folder has a
reference.safetensors and a reference.json, named as in t5_v1_1_tiny, but for
`target_logprobs` in place of the logits: the log-probability of each target
token. A prompt has 100 vectors, rows of the embedding as the paper has it.

With a tokenizer each folder is one that --model takes.
"""

import argparse
import math
import platform
import shutil
from pathlib import Path

import make_t5 as tiny
import torch
import transformers
from safetensors.torch import save_file
from transformers import T5Config, T5ForConditionalGeneration

SEED = 32128
INPUT_LENGTHS = [3, 40, 150, 512]
TARGET_LENGTHS = [1, 4, 12, 32]
PROMPT_LENGTH, PROMPT_POPULATION = 100, 5000

V1_1_SMALL = T5Config(
    vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_decoder_layers=8, num_heads=6,
    dropout_rate=0.0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    pad_token_id=tiny.PAD, eos_token_id=tiny.EOS, decoder_start_token_id=tiny.START,
)
V1_0_SMALL = T5Config(
    vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8,
    dropout_rate=0.0, feed_forward_proj="relu",
    pad_token_id=tiny.PAD, eos_token_id=tiny.EOS, decoder_start_token_id=tiny.START,
)


def perturb(model, g):
    """Every parameter random, on the scales of make_t5.perturb at this width.

    But for the feed-forward's last map, which is smaller, and cross-attention's, which is larger: a
    deep random network is chaotic where trained ones are not, and with ReLU's kinks float32 and
    float64 would be 3e-3 apart in the gradient of the prompt.
    """
    d, k = model.config.d_model, model.config.d_kv
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if "layer_norm" in name:
            w = 1.0 + 0.25 * r
        elif "relative_attention_bias" in name:
            w = 0.8 * r
        elif name == "shared.weight":
            w = r
        elif name == "lm_head.weight":
            w = 2.0 / math.sqrt(d) * r
        elif name.endswith((".q.weight", ".k.weight")):
            w = math.sqrt(2.0 / (d * math.sqrt(k))) * r  # scores of std 2
        elif name.endswith("DenseReluDense.wo.weight"):
            w = 0.14 / math.sqrt(p.shape[1]) * r
        elif name.endswith("EncDecAttention.o.weight"):
            w = 4.2 / math.sqrt(p.shape[1]) * r
        else:
            w = 1.4 / math.sqrt(p.shape[1]) * r
        p.data.copy_(w)


def target_logprobs(out, targets):
    """[real tokens of the batch], row by row."""
    logp = out.logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return logp[targets != tiny.PAD]


def references(model, x, y, prompt):
    """Tensors, ids and the least margin, without the prompt and behind it."""
    t, ids = {"prompt": prompt}, {}
    for prefix, rows in (("", None), ("prompt.", prompt)):
        p = None if rows is None else rows.clone().requires_grad_(True)
        out, loss, _, _ = tiny.forward(model, x, y, p)
        t[prefix + "target_logprobs"] = target_logprobs(out, y)
        t[prefix + "loss_sum"] = loss.reshape(1)
        if p is not None:
            loss.backward()
            t[prefix + "grad"] = p.grad
            model.zero_grad()
        tokens, logprob, _, margin = tiny.greedy(model, x, rows)
        t[prefix + "greedy_logprob"] = torch.tensor(logprob)
        ids[prefix + "greedy"] = tokens
        ids[prefix + "greedy_smallest_margin"] = margin
    return {k: v.detach().contiguous() for k, v in t.items()}, ids


def make(out, config, tokenizer, **saving):
    torch.manual_seed(SEED)
    g = torch.Generator().manual_seed(SEED)
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config).float().eval()
    perturb(model, g)

    def row(n):
        return torch.randint(2, 32100, (n - 1,), generator=g).tolist() + [tiny.EOS]

    inputs, targets = [row(n) for n in INPUT_LENGTHS], [row(n) for n in TARGET_LENGTHS]
    x, y = tiny.pad_right(inputs), tiny.pad_right(targets)

    out.mkdir(parents=True)
    model.save_pretrained(out, **saving)
    (out / "generation_config.json").unlink(missing_ok=True)
    if tokenizer is not None:
        shutil.copy(tokenizer, out / "spiece.model")

    # Everything below is from the checkpoint as written.
    model = T5ForConditionalGeneration.from_pretrained(out, attn_implementation="eager", dtype=torch.float32).eval()
    rows = torch.randperm(PROMPT_POPULATION, generator=g)[:PROMPT_LENGTH]
    prompt = model.shared.weight.detach()[rows].clone()
    t, ids = references(model, x, y, prompt)
    save_file(t, out / "reference.safetensors")
    tiny.write_json(out / "reference.json", {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "input_ids": inputs,
        "targets": targets,
        "max_new_tokens": tiny.MAX_NEW,
        **ids,
    })

    # How far float32 is from float64, for the reader's tolerances.
    d = T5ForConditionalGeneration.from_pretrained(out, attn_implementation="eager", dtype=torch.float64).eval()
    p = prompt.double().requires_grad_(True)
    exact, loss, _, _ = tiny.forward(d, x, y, p)
    loss.backward()
    logprobs = (target_logprobs(exact, y) - t["prompt.target_logprobs"]).abs().max().item()
    grad = ((p.grad - t["prompt.grad"]).norm(dim=1) / p.grad.norm(dim=1)).max().item()
    print(f"{out}: {sum(q.numel() for q in model.parameters()):,} parameters")
    print(f"  log-probabilities {t['target_logprobs'].min():.2f} to {t['target_logprobs'].max():.2f},"
          f" loss {t['loss_sum'].item():.4f}, behind the prompt {t['prompt.loss_sum'].item():.4f}")
    print(f"  f32 - f64 behind the prompt: log-probabilities {logprobs:.1e}, a vector's gradient {grad:.1e}")
    print(f"  greedy: least margin {min(ids['greedy_smallest_margin'], ids['prompt.greedy_smallest_margin']):.4f},"
          f" {[len(r) for r in ids['greedy'] + ids['prompt.greedy']]} tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="a spiece.model of 32,000 pieces, to be copied into each folder")
    arguments = parser.parse_args()
    assert transformers.__version__.startswith("4."), "needs transformers 4, see make_t5.py"
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    make(arguments.out / "t5_v1_1_small", V1_1_SMALL, arguments.tokenizer, max_shard_size="100MB")
    make(arguments.out / "t5_v1_0_small", V1_0_SMALL, arguments.tokenizer, safe_serialization=False)


if __name__ == "__main__":
    main()
