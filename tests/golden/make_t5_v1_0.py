#!/usr/bin/env python3
"""Makes a tiny random T5 v1.0 checkpoint and reference values for it.

v1.0 differs from v1.1 in a ReLU without a gate, and in a head that is the
embedding, with states scaled by D^-0.5 before it. The weights are saved as
`pytorch_model.bin`, as the old repositories hold them.

Run as make_t5.py, which it borrows from:

    /tmp/v/bin/python tests/golden/make_t5_v1_0.py

Writes, beside this file, t5_v1_0_tiny/: config.json, pytorch_model.bin,
reference.safetensors and reference.json, named as in t5_v1_1_tiny.
"""

import platform

import make_t5 as v1_1
import torch
import transformers
from safetensors.torch import save_file
from transformers import T5Config, T5ForConditionalGeneration

OUT = v1_1.HERE / "t5_v1_0_tiny"
SEED = 7
GRADS = [
    "shared.weight",
    "encoder.block.1.layer.1.DenseReluDense.wi.weight",
    "decoder.block.0.layer.2.DenseReluDense.wo.weight",
]


def main():
    assert transformers.__version__.startswith("4."), "needs transformers 4, see make_t5.py"
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    torch.manual_seed(SEED)
    g = torch.Generator().manual_seed(SEED)
    config = T5Config(
        vocab_size=v1_1.VOCAB,
        d_model=v1_1.D_MODEL,
        d_kv=v1_1.D_KV,
        d_ff=v1_1.D_FF,
        num_layers=2,
        num_heads=v1_1.HEADS,
        dropout_rate=0.0,
        feed_forward_proj="relu",
        pad_token_id=v1_1.PAD,
        eos_token_id=v1_1.EOS,
        decoder_start_token_id=v1_1.START,
    )
    config._attn_implementation = "eager"
    model = T5ForConditionalGeneration(config).float().eval()
    v1_1.perturb(model, g)
    assert model.lm_head.weight is model.shared.weight

    def row(n):
        return torch.randint(2, v1_1.VOCAB, (n - 1,), generator=g).tolist() + [v1_1.EOS]

    inputs, targets = [row(n) for n in (4, 30)], [row(n) for n in (3, 9)]
    prompt = torch.randn(v1_1.PROMPT_LENGTH, v1_1.D_MODEL, generator=g)
    x, y = v1_1.pad_right(inputs), v1_1.pad_right(targets)

    OUT.mkdir(exist_ok=True)
    model.save_pretrained(OUT, safe_serialization=False)
    (OUT / "generation_config.json").unlink(missing_ok=True)

    out, loss, _, _ = v1_1.forward(model, x, y)
    loss.backward()
    named = dict(model.named_parameters())
    t = {"logits": out.logits, "prompt": prompt, "loss_sum": loss.reshape(1)}
    t |= {"grad." + name: named[name].grad.clone() for name in GRADS}
    p = prompt.clone().requires_grad_(True)
    out_p, loss_p, _, _ = v1_1.forward(model, x, y, p)
    loss_p.backward()
    t |= {"prompt.logits": out_p.logits, "prompt.grad": p.grad}
    tokens, logprob, _, margin = v1_1.greedy(model, x)
    assert margin > 5e-3, margin
    t["greedy_logprob"] = torch.tensor(logprob)

    save_file({k: v.detach().contiguous() for k, v in t.items()}, OUT / "reference.safetensors")
    v1_1.write_json(OUT / "reference.json", {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "input_ids": inputs,
        "targets": targets,
        "greedy": tokens,
    })
    print(OUT, "smallest margin", margin)


if __name__ == "__main__":
    main()
