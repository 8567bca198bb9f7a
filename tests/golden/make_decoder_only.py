#!/usr/bin/env python3
"""Makes tiny random decoder-only checkpoints and reference values for them.

Run (CPU, seconds; no network, no downloaded weights):

    python3 -m venv /tmp/v && /tmp/v/bin/pip install torch "transformers>=4.57,<5" numpy safetensors gguf
    /tmp/v/bin/python tests/golden/make_decoder_only.py

Everything is Hugging Face Transformers' LlamaForCausalLM, Qwen2ForCausalLM,
Qwen3ForCausalLM, GPT2LMHeadModel, Gemma2ForCausalLM, Gemma3ForCausalLM,
MistralForCausalLM and SmolLM3ForCausalLM, eager attention, float32 on one CPU thread, each row alone and unpadded.

Writes, beside this file:
    llama_tiny/, qwen2_tiny/, qwen3_tiny/, gpt2_tiny/
                                 config.json, tokenizer.json, model.safetensors as
                                 save_pretrained lays them out; reference.safetensors, .json
    gemma2_tiny/, gemma3_tiny/, mistral_tiny/, smollm3_tiny/
                                 the same, with the gradients of all weights. Most inputs are longer
                                 than the windows; soft-capping bounds many scores and logits
    {qwen2,qwen3,gemma2,gemma3}_tiny/model.gguf, gguf.safetensors
                                 the same networks in f16 under gguf-py's names, and their logits by
                                 Transformers; a Gemma 2's scores are scaled by its heads' width there
    llama_tiny/model.gguf        the same Llama in f16 and Q8_0 with the tokenizer in its metadata,
                                 and gguf.safetensors: its logits, by Transformers from the
                                 dequantised weights
    gguf_formats/                formats.gguf: a tensor in every format that is read, and
                                 values.safetensors: gguf-py's dequantised values
"""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig,
    LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
    SmolLM3Config, SmolLM3ForCausalLM,
)

HERE = Path(__file__).resolve().parent
INPUT_LENGTHS = [3, 17, 33]
TARGET_LENGTHS = [1, 4, 6]
PROMPT_LENGTH = 5
MAX_NEW = 10
TEXTS = [
    "Context: The mill was built in 1902.\nQuestion: When was the mill built?\nAnswer:",
    " in 1902\n",
    "tabs\tand  spaces   \n\n and 123 numbers, it's o'clock",
    "Größe, naïve, 東京, 🙂",
    "",
]


def tokenizer():
    """Byte-level BPE as SmolLM2's: digits one by one."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=272,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tok.train_from_iterator(["the mill was built when the tide was in then"] * 9, trainer)
    return tok


def rows(rng, vocab):
    draw = lambda n: [int(i) for i in rng.integers(1, vocab, n)]
    return [draw(n) for n in INPUT_LENGTHS], [draw(n) for n in TARGET_LENGTHS]


def embedder(model):
    """From ids to what the blocks read, and from that to `inputs_embeds`. A Gemma reads its embeddings by sqrt(D);
    Transformers 4.x multiplies a Gemma 2's `inputs_embeds` in the model, and all others in the embedding."""
    embed = model.get_input_embeddings()
    if model.config.model_type == "gemma2" and transformers.__version__.startswith("4."):
        scale = torch.tensor(model.config.hidden_size**0.5)
        return (lambda ids: embed(ids) * scale), (lambda e: e / scale)
    return embed, (lambda e: e)


def logits_of(model, inputs, targets, prompt=None):
    """Logits at the positions that predict the targets, rows one behind the other."""
    embed, given = embedder(model)
    out = []
    for x, y in zip(inputs, targets):
        e = embed(torch.tensor([x + y[:-1]]))
        if prompt is not None:
            e = torch.cat([prompt[None], e], 1)
        out.append(model(inputs_embeds=given(e)).logits[0, -len(y):])
    return torch.cat(out)


def greedy(model, inputs, prompt=None):
    embed, given = embedder(model)
    tokens, log_probs, margin = [], [], 1e9
    for x in inputs:
        ids, total = [], 0.0
        for _ in range(MAX_NEW):
            e = embed(torch.tensor([x + ids]))
            if prompt is not None:
                e = torch.cat([prompt[None], e], 1)
            last = model(inputs_embeds=given(e)).logits[0, -1]
            two = last.topk(2).values
            margin = min(margin, float(two[0] - two[1]))
            ids.append(int(last.argmax()))
            total += float(last.log_softmax(-1)[ids[-1]])
        tokens.append(ids)
        log_probs.append(total)
    return tokens, log_probs, margin


def write(name, model, tok, gradients=False):
    out = HERE / name
    model.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    tok.save(str(out / "tokenizer.json"))
    rng = np.random.default_rng(7)
    inputs, targets = rows(rng, model.config.vocab_size)
    width = model.get_input_embeddings().weight.shape[1]
    prompt = torch.tensor(rng.normal(0, 0.5, (PROMPT_LENGTH, width)), dtype=torch.float32)
    flat = torch.tensor(sum(targets, []))
    t, j = {"prompt": prompt}, {"inputs": inputs, "targets": targets}
    with torch.no_grad():
        t["logits"] = logits_of(model, inputs, targets)
        t["prompt.logits"] = logits_of(model, inputs, targets, prompt)
        t["losses"] = torch.nn.functional.cross_entropy(t["logits"], flat, reduction="none")
        for key, p in [("greedy", None), ("prompt.greedy", prompt)]:
            tokens, log_probs, margin = greedy(model, inputs, p)
            assert margin > 1e-3, (name, key, margin)
            j[key] = tokens
            t[key + "_logprob"] = torch.tensor(log_probs)
    tracked = prompt.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(logits_of(model, inputs, targets, tracked), flat, reduction="sum")
    loss.backward()
    t["prompt.grad"] = tracked.grad
    if gradients:
        model.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits_of(model, inputs, targets), flat, reduction="sum")
        loss.backward()
        for key, p in model.named_parameters():
            t["grad." + key] = p.grad
    j["tokens"] = [{"text": text, "ids": tok.encode(text).ids} for text in TEXTS]
    j["versions"] = {"torch": torch.__version__, "transformers": transformers.__version__}
    save_file({k: v.contiguous() for k, v in t.items()}, out / "reference.safetensors")
    (out / "reference.json").write_text(json.dumps(j, indent=1, ensure_ascii=True) + "\n")
    return inputs, targets


def permuted(weight, heads):
    """As convert_hf_to_gguf.py's LlamaModel.permute."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(model, tok, inputs, targets):
    out, c = HERE / "llama_tiny", model.config
    w = gguf.GGUFWriter(str(out / "model.gguf"), "llama")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_theta)
    w.add_rope_dimension_count(c.hidden_size // c.num_attention_heads)
    w.add_vocab_size(c.vocab_size)
    write_byte_level(w, tok)
    heads = {"self_attn.q_proj": c.num_attention_heads, "self_attn.k_proj": c.num_key_value_heads}
    plain = {}
    for name, tensor in model.state_dict().items():
        values = tensor.numpy().astype(np.float32)
        if name == "lm_head.weight":
            continue
        if name == "model.embed_tokens.weight":
            stored, kind, own = "token_embd.weight", gguf.GGMLQuantizationType.F16, values
        elif name == "model.norm.weight":
            stored, kind, own = "output_norm.weight", gguf.GGMLQuantizationType.F32, values
        else:
            layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            stored = f"blk.{layer}.{NAMES[part]}.weight"
            own = permuted(values, heads[part]) if part in heads else values
            kind = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else gguf.GGMLQuantizationType.Q8_0
        data = quantize(own, kind)
        w.add_tensor(stored, data, raw_dtype=kind)
        back = dequantize(data, kind).reshape(own.shape)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            h = heads[part]
            back = back.reshape(h, own.shape[0] // h // 2, 2, -1).swapaxes(1, 2).reshape(own.shape)
        plain[name] = torch.tensor(back)
    write_with_logits(w, out, model, plain, inputs, targets)


def write_with_logits(w, out, model, plain, inputs, targets):
    """Writes the file, and the logits of the model with the weights that are read from it."""
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    model.load_state_dict(plain, strict=False)
    model.tie_weights()
    with torch.no_grad():
        logits = logits_of(model, inputs, targets)
    save_file({"logits": logits.contiguous()}, out / "gguf.safetensors")


def write_gguf_of(name, architecture, model, tok, inputs, targets):
    """As convert_hf_to_gguf.py writes them: no permutation, norms of a Gemma plus 1."""
    out, c = HERE / name, model.config
    w = gguf.GGUFWriter(str(out / "model.gguf"), architecture)
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_theta)
    is_gemma = architecture.startswith("gemma")
    if getattr(c, "head_dim", None):
        w.add_key_length(c.head_dim)
        w.add_value_length(c.head_dim)
    if is_gemma:
        w.add_sliding_window(c.sliding_window)
        if architecture == "gemma2":
            w.add_attn_logit_softcapping(c.attn_logit_softcapping)
            w.add_final_logit_softcapping(c.final_logit_softcapping)
        else:
            w.add_float32("gemma3.rope.freq_base_swa", c.rope_local_base_freq)
            w.add_uint32("gemma3.attention.sliding_window_pattern", 3)
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(c.rope_scaling["factor"])
        # llama.cpp's scale: files do not say another.
        for layer in model.model.layers:
            layer.self_attn.scaling = c.head_dim**-0.5
    write_byte_level(w, tok)
    kinds = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[architecture], c.num_hidden_layers)
    plain = {}
    for key, tensor in model.state_dict().items():
        values = tensor.numpy().astype(np.float32)
        if key == "lm_head.weight":
            continue
        stored = names.get_name(key, try_suffixes=(".weight", ".bias"))
        kind = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else gguf.GGMLQuantizationType.F16
        is_norm = is_gemma and key.endswith("norm.weight")
        data = quantize(values + 1 if is_norm else values, kind)
        w.add_tensor(stored, data, raw_dtype=kind)
        plain[key] = torch.tensor(dequantize(data, kind).reshape(values.shape)) - (1 if is_norm else 0)
    write_with_logits(w, out, model, plain, inputs, targets)


def write_byte_level(w, tok):
    saved = json.loads(tok.to_str())
    vocab = sorted(saved["model"]["vocab"], key=saved["model"]["vocab"].get)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(vocab)
    w.add_token_types([3 if t == "<|endoftext|>" else 1 for t in vocab])
    w.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in saved["model"]["merges"]])


def write_formats():
    out = HERE / "gguf_formats"
    out.mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    w = gguf.GGUFWriter(str(out / "formats.gguf"), "llama")
    kinds = gguf.GGMLQuantizationType
    plain = rng.normal(0, 1, (2, 256)).astype(np.float32)
    values = {}
    for kind in [kinds.F32, kinds.F16, kinds.BF16, kinds.Q8_0, kinds.Q4_0, kinds.Q4_1]:
        data = quantize(plain, kind)
        w.add_tensor(kind.name, data, raw_dtype=kind)
        values[kind.name] = torch.tensor(dequantize(data, kind).reshape(2, 256))
    # gguf-py reads these and does not write them: any bytes with finite scales are a block.
    for kind, halves in [(kinds.Q4_K, [0, 2]), (kinds.Q5_K, [0, 2]), (kinds.Q6_K, [208])]:
        _, size = gguf.GGML_QUANT_SIZES[kind]
        data = rng.integers(0, 256, (2, size)).astype(np.uint8)
        for at in halves:
            data[:, at:at + 2] = np.array([[0.013], [0.4]], dtype=np.float16).view(np.uint8)
        w.add_tensor(kind.name, data, raw_dtype=kind)
        values[kind.name] = torch.tensor(dequantize(data, kind).reshape(2, 256))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    save_file({k: v.contiguous() for k, v in values.items()}, out / "values.safetensors")


def main():
    torch.set_num_threads(1)
    tok = tokenizer()
    size = tok.get_vocab_size()
    torch.manual_seed(11)
    config = LlamaConfig(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=1000.0,
        tie_word_embeddings=True, initializer_range=0.3, attn_implementation="eager",
    )
    llama = LlamaForCausalLM(config).eval()
    for name, p in llama.named_parameters():
        if "norm" in name:
            p.data += 0.1 * torch.randn_like(p)
    inputs, targets = write("llama_tiny", llama, tok)
    write_gguf(llama, tok, inputs, targets)
    torch.manual_seed(12)
    config = GPT2Config(
        vocab_size=size, n_embd=24, n_layer=2, n_head=3, n_positions=64, initializer_range=0.3,
        attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, attn_implementation="eager",
    )
    gpt2 = GPT2LMHeadModel(config).eval()
    for name, p in gpt2.named_parameters():
        if "ln_" in name or name.endswith("bias"):
            p.data += 0.1 * torch.randn_like(p)
    write("gpt2_tiny", gpt2, tok)
    for seed, name, kind, network, own in [
        (13, "qwen2_tiny", Qwen2Config, Qwen2ForCausalLM, {}),
        # Heads that are wider than the states' share.
        (14, "qwen3_tiny", Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
    ]:
        torch.manual_seed(seed)
        config = kind(
            vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-6, rope_theta=1000.0,
            tie_word_embeddings=True, initializer_range=0.3, attn_implementation="eager", **own,
        )
        qwen = network(config).eval()
        for parameter_name, p in qwen.named_parameters():
            if "norm" in parameter_name or parameter_name.endswith("bias"):
                p.data += 0.1 * torch.randn_like(p)
        inputs, targets = write(name, qwen, tok)
        write_gguf_of(name, config.model_type, qwen, tok, inputs, targets)
    sizes = dict(
        vocab_size=size, hidden_size=32, intermediate_size=40, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=128, rms_norm_eps=1e-6, tie_word_embeddings=True, initializer_range=0.3,
        attn_implementation="eager",
    )
    # Heads of another width than the states' share, and another scale than theirs.
    gemma = dict(sizes, num_hidden_layers=4, head_dim=12, query_pre_attn_scalar=20, sliding_window=8)
    for seed, name, config, network in [
        (21, "gemma2_tiny", Gemma2Config(
            **gemma, rope_theta=1000.0, attn_logit_softcapping=5.0, final_logit_softcapping=10.0,
        ), Gemma2ForCausalLM),
        (22, "gemma3_tiny", Gemma3TextConfig(
            **gemma, rope_theta=5000.0, rope_local_base_freq=300.0, rope_scaling={"rope_type": "linear", "factor": 2.0},
            layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        ), Gemma3ForCausalLM),
        (23, "mistral_tiny", MistralConfig(
            **sizes, num_hidden_layers=2, head_dim=16, rope_theta=1000.0, sliding_window=6,
        ), MistralForCausalLM),
        (24, "smollm3_tiny", SmolLM3Config(
            **sizes, num_hidden_layers=3, rope_theta=1000.0, no_rope_layer_interval=2, pad_token_id=0,
        ), SmolLM3ForCausalLM),
    ]:
        torch.manual_seed(seed)
        model = network(config).eval()
        for parameter_name, p in model.named_parameters():
            if "norm" in parameter_name:
                p.data += 0.1 * torch.randn_like(p)
        inputs, targets = write(name, model, tok, gradients=True)
        if name.startswith("gemma"):
            write_gguf_of(name, name.removesuffix("_tiny"), model, tok, inputs, targets)
    write_formats()


if __name__ == "__main__":
    main()
