#!/usr/bin/env python3
"""Makes a tiny random T5 v1.1 checkpoint and reference values for it.

Run (CPU, seconds; no network, no downloaded weights):

    python3 -m venv /tmp/v && /tmp/v/bin/pip install torch "transformers>=4.57,<5" numpy safetensors
    /tmp/v/bin/python tests/golden/make_t5.py

The versions the committed files were made with are in README.md and, as the
script saw them, in t5_v1_1_tiny/reference.json under "versions".

Transformers 5 (seen in 5.23.0) will not do for the making: its T5Config takes
tie_word_embeddings=False only to leave the decoder's output unscaled, sets it
to True again, and makes a new model's lm_head the shared embedding itself.

Everything is Hugging Face Transformers' T5ForConditionalGeneration, eager
attention, float32 on one CPU thread. Two runs with the same versions on the
same machine write the same bytes; another CPU may differ in the last bits.

Writes, beside this file:
    t5_v1_1_tiny/config.json, model.safetensors   as save_pretrained lays them out
    t5_v1_1_tiny/reference.safetensors, .json     described in README.md
    relative_position_buckets.json
"""

import json
import math
import os
import platform
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from safetensors.torch import save_file
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HERE = Path(__file__).resolve().parent
OUT = HERE / "t5_v1_1_tiny"

SEED = 1002  # chosen: it passes the checks on the greedy outputs in main()
PAD, EOS, START = 0, 1, 0
VOCAB, D_MODEL, D_KV, HEADS, D_FF = 64, 32, 8, 3, 48
INPUT_LENGTHS = [3, 17, 40, 150]
TARGET_LENGTHS = [1, 4, 12, 7]
PROMPT_LENGTH = 5
MAX_NEW = 16
# Added to the head's row of EOS / pad (along a direction that the final
# decoder states share), so that some greedy outputs stop and none holds a pad.
EOS_SHIFT, PAD_SHIFT = 0.0, -4.0

GRADS = [
    "shared.weight",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    "decoder.block.0.layer.1.EncDecAttention.k.weight",
    "encoder.block.1.layer.1.DenseReluDense.wi_0.weight",
    "decoder.block.2.layer.2.DenseReluDense.wi_1.weight",
    "encoder.block.0.layer.0.layer_norm.weight",
    "decoder.final_layer_norm.weight",
    "lm_head.weight",
]


def perturb(model, g):
    """Every parameter random; no norm weight at 1 and no table at 0."""
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if "layer_norm" in name:
            w = 1.0 + 0.25 * r
        elif "relative_attention_bias" in name:
            w = 0.8 * r
        elif name == "shared.weight":
            w = 1.0 * r
        elif name == "lm_head.weight":
            w = 0.35 * r
        elif name.endswith((".q.weight", ".k.weight")):
            w = 0.15 * r  # T5 does not divide the scores by sqrt(d_kv)
        else:
            w = 1.4 / math.sqrt(p.shape[1]) * r
        p.data.copy_(w)


def pad_right(rows):
    width = max(map(len, rows))
    return torch.tensor([r + [PAD] * (width - len(r)) for r in rows])


def embed(model, ids, prompt):
    """The embedded inputs, with the prompt before each row's, and the mask."""
    mask = (ids != PAD).long()
    emb = model.shared(ids)
    if prompt is not None:
        n = ids.shape[0]
        emb = torch.cat([prompt.unsqueeze(0).expand(n, -1, -1), emb], dim=1)
        mask = torch.cat([torch.ones(n, prompt.shape[0], dtype=torch.long), mask], dim=1)
    return emb, mask


def forward(model, ids, targets, prompt=None):
    emb, mask = embed(model, ids, prompt)
    labels = targets.masked_fill(targets == PAD, -100)
    out = model(inputs_embeds=emb, attention_mask=mask, labels=labels)
    # Own arithmetic for the sum; checked against the model's own mean below.
    logp = out.logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    real = targets != PAD
    loss_sum = -(logp * real).sum()
    mean = loss_sum / real.sum()
    assert torch.allclose(mean, out.loss, rtol=1e-5), (mean, out.loss)
    return out, loss_sum, mean, -(logp * real).sum(-1)


@torch.no_grad()
def greedy(model, ids, prompt=None):
    """One unpadded row at a time, the whole decoder again at each step."""
    tokens, logprob, margin, steps = [], [], math.inf, []
    for row in ids:
        row = row[row != PAD].unsqueeze(0)
        emb, mask = embed(model, row, prompt)
        enc = model.encoder(inputs_embeds=emb, attention_mask=mask)
        dec, total = [START], 0.0
        row_steps = []
        while len(dec) <= MAX_NEW:
            logits = model(
                encoder_outputs=enc,
                attention_mask=mask,
                decoder_input_ids=torch.tensor([dec]),
                use_cache=False,
            ).logits[0, -1]
            top = logits.topk(2)
            margin = min(margin, (top.values[0] - top.values[1]).item())
            t = top.indices[0].item()
            lp = logits.log_softmax(-1)[t].item()
            row_steps.append(lp)
            dec.append(t)
            if t == EOS:
                break
        tokens.append(dec[1:])
        logprob.append(math.fsum(row_steps))
        steps.append(row_steps)
        # The same from generate(). Without its cache, which in Transformers
        # 4.57 has num_layers layers where num_decoder_layers are needed.
        made = model.generate(
            inputs_embeds=emb, attention_mask=mask, do_sample=False, num_beams=1,
            max_new_tokens=MAX_NEW, use_cache=False,
        )[0].tolist()
        assert made == dec, (made, dec)
    return tokens, logprob, steps, margin


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="ascii")


def buckets():
    rel = torch.arange(-300, 301)
    bucket = T5Attention._relative_position_bucket
    table = {
        side: bucket(rel, bidirectional=both, num_buckets=32, max_distance=128).tolist()
        for side, both in (("bidirectional", True), ("causal", False))
    }
    head = {
        "num_buckets": 32,
        "max_distance": 128,
        "relative_position": "key - query; entry i is for relative position first + i",
        "first": -300,
        "last": 300,
    }
    lines = ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in (head | table).items())
    (HERE / "relative_position_buckets.json").write_text("{\n" + lines + "\n}\n", encoding="ascii")


def main():
    assert transformers.__version__.startswith("4."), "needs transformers 4, see the top"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    torch.manual_seed(SEED)
    g = torch.Generator().manual_seed(SEED)

    config = T5Config(
        vocab_size=VOCAB,
        d_model=D_MODEL,
        d_kv=D_KV,
        d_ff=D_FF,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=HEADS,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        dropout_rate=0.0,
        layer_norm_epsilon=1e-6,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=START,
    )
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config).float().eval()
    perturb(model, g)
    assert model.lm_head.weight.data_ptr() != model.shared.weight.data_ptr()
    assert model.encoder.embed_tokens.weight is model.shared.weight
    assert model.decoder.embed_tokens.weight is model.shared.weight

    def ids_row(n):
        return torch.randint(2, VOCAB, (n - 1,), generator=g).tolist() + [EOS]

    inputs = [ids_row(n) for n in INPUT_LENGTHS]
    targets = [ids_row(n) for n in TARGET_LENGTHS]
    prompt = torch.randn(PROMPT_LENGTH, D_MODEL, generator=g)
    x, y = pad_right(inputs), pad_right(targets)

    # Shift the two rows of the head along the mean final decoder state.
    with torch.no_grad():
        h = model(input_ids=x, attention_mask=(x != PAD).long(), labels=y,
                  output_hidden_states=True).decoder_hidden_states[-1][y != PAD]
        mean = h.mean(0)
        mean /= mean.dot(mean)
        model.lm_head.weight[EOS] += EOS_SHIFT * mean
        model.lm_head.weight[PAD] += PAD_SHIFT * mean

    OUT.mkdir(exist_ok=True)
    model.save_pretrained(OUT, safe_serialization=True)
    (OUT / "generation_config.json").unlink(missing_ok=True)

    # Everything below is from the checkpoint as written.
    model, info = T5ForConditionalGeneration.from_pretrained(
        OUT, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    model.eval()
    assert model.config.tie_word_embeddings is False
    assert model.config.dense_act_fn == "gelu_new" and model.config.is_gated_act

    t = {
        "input_ids": x,
        "attention_mask": (x != PAD).long(),
        "targets": y,
        "decoder_input_ids": model._shift_right(y),
        "prompt": prompt,
    }

    out, loss, mean, rows = forward(model, x, y)
    by_ids = model(input_ids=x, attention_mask=t["attention_mask"], labels=y)
    assert torch.equal(by_ids.logits, out.logits)
    loss.backward()
    named = dict(model.named_parameters())
    t |= {
        "encoder_output": out.encoder_last_hidden_state,
        "logits": out.logits,
        "loss_sum": loss.reshape(1),
        "loss_mean": mean.reshape(1),
        "loss_rows": rows,
    }
    for name in GRADS:
        t["grad." + name] = named[name].grad.clone()
        assert t["grad." + name].abs().max() > 1e-4, name

    model.zero_grad()
    p = prompt.clone().requires_grad_(True)
    out_p, loss_p, mean_p, rows_p = forward(model, x, y, p)
    loss_p.backward()
    t |= {
        "prompt.encoder_output": out_p.encoder_last_hidden_state,
        "prompt.logits": out_p.logits,
        "prompt.loss_sum": loss_p.reshape(1),
        "prompt.loss_mean": mean_p.reshape(1),
        "prompt.loss_rows": rows_p,
        "prompt.grad": p.grad,
    }

    tokens, logprob, steps, margin = greedy(model, x)
    tokens_p, logprob_p, steps_p, margin_p = greedy(model, x, prompt)
    t["greedy_logprob"] = torch.tensor(logprob)
    t["prompt.greedy_logprob"] = torch.tensor(logprob_p)

    # What the README promises of the outputs.
    for toks in (tokens, tokens_p):
        assert all(PAD not in r for r in toks), toks
        assert len({tuple(r) for r in toks}) == len(toks), toks
        assert any(r[-1] == EOS and 2 < len(r) < MAX_NEW for r in toks), toks
        assert any(EOS not in r and len(r) == MAX_NEW for r in toks), toks
    assert tokens != tokens_p
    assert min(margin, margin_p) > 5e-3, (margin, margin_p)
    std = out.logits[y != PAD].std().item()
    assert 1.0 < std < 3.0, std

    # How far float32 is from float64 (for the reader's tolerances; printed only).
    d = T5ForConditionalGeneration.from_pretrained(
        OUT, attn_implementation="eager", dtype=torch.float64)
    d.eval()
    o64, l64, _, _ = forward(d, x, y)
    q = prompt.double().requires_grad_(True)
    o64p, l64p, _, _ = forward(d, x, y, q)
    l64p.backward()
    differences = {
        "logits": o64.logits - out.logits,
        "prompt.logits": o64p.logits - out_p.logits,
        "loss_sum": l64 - loss,
        "prompt.loss_sum": l64p - loss_p,
        "prompt.grad": q.grad - p.grad,
    }
    print("f32 - f64, largest:", {k: f"{v.detach().abs().max().item():.1e}" for k, v in differences.items()})

    t = {k: v.detach().contiguous() for k, v in t.items()}
    save_file(t, OUT / "reference.safetensors")
    write_json(OUT / "reference.json", {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "decoder_start_token_id": START,
        "max_new_tokens": MAX_NEW,
        "prompt_length": PROMPT_LENGTH,
        "input_ids": inputs,
        "targets": targets,
        "target_tokens": int((y != PAD).sum()),
        "loss_sum": loss.item(),
        "loss_mean": mean.item(),
        "greedy": tokens,
        "greedy_logprob": logprob,
        "greedy_step_logprobs": steps,
        "greedy_smallest_margin": margin,
        "prompt.loss_sum": loss_p.item(),
        "prompt.loss_mean": mean_p.item(),
        "prompt.greedy": tokens_p,
        "prompt.greedy_logprob": logprob_p,
        "prompt.greedy_step_logprobs": steps_p,
        "prompt.greedy_smallest_margin": margin_p,
        "tensors": {k: {"dtype": str(v.dtype).removeprefix("torch."), "shape": list(v.shape)}
                    for k, v in sorted(t.items())},
    })
    buckets()
    print(f"logits std {std:.3f}; greedy {tokens}; with prompt {tokens_p}; margins {margin:.4f} {margin_p:.4f}")
    print(f"loss sum {loss.item():.5f} mean {mean.item():.5f}; with prompt {loss_p.item():.5f}")


if __name__ == "__main__":
    main()
