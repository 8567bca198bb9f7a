#!/usr/bin/env python3
"""Makes tiny random RoBERTa, DistilBERT, ModernBERT and XLM-R checkpoints with their kinds of tokenizer and reference values.

Run as make_bert.py, which it borrows from:

    /tmp/v/bin/python tests/golden/make_encoders.py

Writes, beside this file, {roberta,distilbert,modernbert,xlm_roberta}_tiny/: config.json and the weights of a network
with its masked-word head as save_pretrained lays it out (DistilBERT's as pytorch_model.bin), tokenizer.json (XLM-R: and
sentencepiece.bpe.model), reference.safetensors and reference.json, all described in README.md.
"""

import io
import platform
import random
import shutil
import tempfile
from pathlib import Path

import make_bert as bert
import make_t5 as t5
import sentencepiece as spm
import torch
import transformers
from make_sentencepiece import mini_texts, rules
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    DistilBertConfig, DistilBertForMaskedLM, DistilBertForQuestionAnswering, DistilBertForSequenceClassification,
    DistilBertTokenizerFast, ModernBertConfig, ModernBertForMaskedLM, ModernBertForQuestionAnswering,
    ModernBertForSequenceClassification, PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM,
    RobertaForQuestionAnswering, RobertaForSequenceClassification, RobertaTokenizerFast, XLMRobertaConfig,
    XLMRobertaForMaskedLM, XLMRobertaForQuestionAnswering, XLMRobertaForSequenceClassification, XLMRobertaTokenizerFast,
)

D_MODEL, HEADS, D_FF, POSITIONS, CLASSES = 32, 4, 48, 96, 3
PROMPT_LENGTH = 5
PAIRS = bert.PAIRS + [("<s> a</s> <mask> [MASK]", "the <pad> town  and   the\n\nmill , \u00bdl <unk>")]
TARGETS = [0, 2, 1, 1, 0, 2]
WORDS = {"xlm_roberta": ["the", "was", "of"]}
TEXTS = ["the cat sat by the red mill in the town", "was the river by the town red ?", "the mill was red , the town was not"] * 9


def byte_level(special):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tok.train_from_iterator(TEXTS, trainer)
    return tok


def roberta_tokenizer(out):
    tok = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    with tempfile.TemporaryDirectory() as folder:
        vocab, merges = tok.model.save(folder)
        return RobertaTokenizerFast(vocab, merges)


def modernbert_tokenizer(out):
    """As answerdotai/ModernBERT-base's: NFC, BPE of bytes, runs of spaces as added tokens."""
    tok = byte_level(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    tok.normalizer = normalizers.NFC()
    tok.add_tokens([AddedToken(" " * n, normalized=True) for n in (3, 2)])
    tok.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    ids = {name: tok.token_to_id(name) for name in ("[CLS]", "[SEP]")}
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=list(ids.items())
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
        mask_token="[MASK]", clean_up_tokenization_spaces=True,
    )


def distilbert_tokenizer(out):
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(folder, "vocab.txt")
        vocab.write_text("\n".join(bert.vocabulary()) + "\n", encoding="utf-8")
        return DistilBertTokenizerFast(str(vocab))


def xlm_roberta_tokenizer(out):
    """A unigram model whose first ids are <unk>, <s>, </s>, as XLM-R's sentencepiece.bpe.model has them."""
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        tsv.write(rules())
        tsv.flush()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(random.Random(0).sample(list(mini_texts("train")), 3000)), model_writer=model,
            vocab_size=300, model_type="unigram", unk_id=0, bos_id=1, eos_id=2, pad_id=-1, num_threads=1,
            normalization_rule_tsv=tsv.name, minloglevel=2,
        )
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    proto.trainer_spec.ClearField("input")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    path = out / "sentencepiece.bpe.model"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return XLMRobertaTokenizerFast(str(path))


class Family:
    def __init__(self, name, config, masked, classes, spans, tokenizer, between, grads):
        self.name, self.config, self.masked, self.classes = name, config, masked, classes
        self.spans, self.tokenizer, self.between, self.grads = spans, tokenizer, between, grads


OF_ROBERTA = [
    "roberta.embeddings.word_embeddings.weight",
    "roberta.embeddings.position_embeddings.weight",
    "roberta.embeddings.token_type_embeddings.weight",
    "roberta.embeddings.LayerNorm.weight",
    "roberta.encoder.layer.0.attention.self.query.weight",
    "roberta.encoder.layer.0.attention.self.key.bias",
    "roberta.encoder.layer.1.intermediate.dense.weight",
    "classifier.dense.weight",
    "classifier.out_proj.bias",
]
SIZES = dict(
    hidden_size=D_MODEL, num_hidden_layers=2, num_attention_heads=HEADS, intermediate_size=D_FF, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0, type_vocab_size=1, layer_norm_eps=1e-5, max_position_embeddings=POSITIONS + 2,
)
FAMILIES = [
    Family(
        "roberta", lambda **kw: RobertaConfig(**SIZES, **kw), RobertaForMaskedLM, RobertaForSequenceClassification,
        RobertaForQuestionAnswering, roberta_tokenizer, 2, OF_ROBERTA,
    ),
    Family(
        "distilbert",
        lambda **kw: DistilBertConfig(
            dim=D_MODEL, n_layers=2, n_heads=HEADS, hidden_dim=D_FF, dropout=0.0, attention_dropout=0.0, qa_dropout=0.0,
            seq_classif_dropout=0.0, max_position_embeddings=POSITIONS, **kw,
        ),
        DistilBertForMaskedLM, DistilBertForSequenceClassification, DistilBertForQuestionAnswering,
        distilbert_tokenizer, 1,
        [
            "distilbert.embeddings.word_embeddings.weight",
            "distilbert.embeddings.position_embeddings.weight",
            "distilbert.embeddings.LayerNorm.bias",
            "distilbert.transformer.layer.0.attention.q_lin.weight",
            "distilbert.transformer.layer.0.attention.k_lin.bias",
            "distilbert.transformer.layer.0.sa_layer_norm.weight",
            "distilbert.transformer.layer.1.ffn.lin1.weight",
            "distilbert.transformer.layer.1.output_layer_norm.bias",
            "pre_classifier.weight",
            "classifier.bias",
        ],
    ),
    # Blocks 0 and 3 look at everything, 1 and 2 at four tokens to either side.
    Family(
        "modernbert",
        lambda **kw: ModernBertConfig(
            hidden_size=D_MODEL, num_hidden_layers=4, num_attention_heads=HEADS, intermediate_size=D_FF,
            local_attention=8, global_attn_every_n_layers=3, classifier_pooling="mean", reference_compile=False,
            **kw,
        ),
        ModernBertForMaskedLM, ModernBertForSequenceClassification, ModernBertForQuestionAnswering,
        modernbert_tokenizer, 1,
        [
            "model.embeddings.tok_embeddings.weight",
            "model.embeddings.norm.weight",
            "model.layers.0.attn.Wqkv.weight",
            "model.layers.1.attn_norm.weight",
            "model.layers.1.attn.Wqkv.weight",
            "model.layers.2.attn.Wo.weight",
            "model.layers.2.mlp.Wi.weight",
            "model.layers.3.mlp.Wo.weight",
            "model.final_norm.weight",
            "head.dense.weight",
            "head.norm.weight",
            "classifier.weight",
        ],
    ),
    Family(
        "xlm_roberta", lambda **kw: XLMRobertaConfig(**SIZES, **kw), XLMRobertaForMaskedLM,
        XLMRobertaForSequenceClassification, XLMRobertaForQuestionAnswering, xlm_roberta_tokenizer, 2, OF_ROBERTA,
    ),
]


def perturb(model, g):
    """Every parameter random; no norm at 1 and no bias at 0."""
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if p.dim() == 1 and "norm" in name.lower() and name.endswith("weight"):
            w = 1.0 + 0.25 * r
        elif p.dim() == 1:
            w = 0.2 * r
        elif "embeddings" in name:
            w = 0.7 * r
        else:
            w = 1.4 * p.shape[1] ** -0.5 * r
        p.data.copy_(w)


def run(family, model, batch, prompt=None):
    """The model's output; a prompt stands behind the first token. Where positions are learned it has none: what the first
    position would add is taken away before. Where they are turned it has some, as tokens would."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    if prompt is None:
        return model(input_ids=ids, attention_mask=mask), mask
    embeds = model.get_input_embeddings()(ids)
    body, n, p = model.base_model, ids.shape[0], prompt.shape[0]
    more = {}
    if family.name != "modernbert":
        table = body.embeddings.position_embeddings.weight
        first = 0 if family.name == "distilbert" else model.config.pad_token_id + 1
        prompt = prompt - table[first]
        places = torch.arange(first, first + ids.shape[1])
        places = torch.cat([places[:1], torch.full((p,), first), places[1:]])[None]
        if family.name == "distilbert":
            body.embeddings.position_ids = places
        else:
            more["position_ids"] = places.expand(n, -1)
    behind = lambda old, new: torch.cat([old[:, :1], new, old[:, 1:]], dim=1)  # noqa: E731
    embeds = behind(embeds, prompt[None].expand(n, -1, -1))
    mask = behind(mask, torch.ones(n, p, dtype=torch.long))
    out = model(inputs_embeds=embeds, attention_mask=mask, **more)
    if family.name == "distilbert":
        body.embeddings.position_ids = torch.arange(POSITIONS)[None]
    return out, mask


def batch_of(rows, pad):
    width = max(map(len, rows))
    assert width <= POSITIONS, width
    return {
        "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }


def make(family, seed):
    pairs = PAIRS
    if family.name == "xlm_roberta":
        # Its special tokens are pieces of its unigram model, which finds them in texts.
        pairs = [*PAIRS[:-1], ("the mill. ", "the  town and   the\n\nmill , \u00bdl \u6c34")]
    g = torch.Generator().manual_seed(seed)
    out = t5.HERE / f"{family.name}_tiny"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    tokenizer = family.tokenizer(out)
    tokenizer.save_pretrained(out)
    for name in ["special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt"]:
        (out / name).unlink(missing_ok=True)
    ids = dict(pad_token_id=tokenizer.pad_token_id)
    if family.name == "modernbert":
        ids |= dict(
            bos_token_id=tokenizer.cls_token_id, cls_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id, sep_token_id=tokenizer.sep_token_id,
        )
    config = family.config(vocab_size=len(tokenizer), num_labels=CLASSES, **ids)
    config._attn_implementation = "eager"
    masked = family.masked(config).float().eval()
    perturb(masked, g)
    masked.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    if family.name == "distilbert":
        (out / "model.safetensors").unlink()
        torch.save(masked.state_dict(), out / "pytorch_model.bin")

    model = family.classes(config).float().eval()
    perturb(model, g)
    head = {name: p.detach().clone() for name, p in model.state_dict().items()}
    missing, _ = model.load_state_dict(masked.state_dict(), strict=False)
    t = {"head." + name: head[name] for name in missing}

    encoded = [
        tokenizer(a, b, return_offsets_mapping=True, split_special_tokens=True) for a, b in pairs
    ]
    rows = [e["input_ids"] for e in encoded]
    single = [tokenizer(a, split_special_tokens=True)["input_ids"] for a, _ in pairs]
    batch = batch_of(rows, tokenizer.pad_token_id)
    labels = torch.tensor(TARGETS)
    loss_of = lambda logits: torch.nn.functional.cross_entropy(logits, labels, reduction="sum")  # noqa: E731

    output, mask = run(family, model, batch)
    loss = loss_of(output.logits)
    loss.backward()
    named = dict(model.named_parameters())
    hidden = model.base_model(**batch).last_hidden_state
    t |= {"hidden": hidden, "logits": output.logits, "loss_sum": loss.reshape(1)}
    t |= {"grad." + name: named[name].grad.clone() for name in family.grads}

    prompt = torch.randn(PROMPT_LENGTH, D_MODEL, generator=g)
    p = prompt.clone().requires_grad_(True)
    output, _ = run(family, model, batch, p)
    loss_of(output.logits).backward()
    t |= {"prompt": prompt, "prompt.logits": output.logits, "prompt.grad": p.grad}

    # First and last positions; the second text begins behind the separators.
    model = family.spans(family.config(vocab_size=len(tokenizer), num_labels=2, **ids))
    model.set_attn_implementation("eager")
    model = model.float().eval()
    perturb(model, g)
    head = {name: q.detach().clone() for name, q in model.state_dict().items()}
    missing, _ = model.load_state_dict(masked.state_dict(), strict=False)
    t |= {"span.head." + name.split(".")[-1]: head[name] for name in missing}
    output, _ = run(family, model, batch) if family.name != "modernbert" else (
        model(batch["input_ids"], attention_mask=batch["attention_mask"]), None,
    )
    places = []
    for row in rows:
        first = row.index(tokenizer.sep_token_id) + family.between
        places.append(range(first, len(row) - 1))
    inside = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
    for row, place in enumerate(places):
        inside[row, place.start:place.stop] = True
    logits = torch.stack([output.start_logits, output.end_logits]).masked_fill(~inside, -1e9)
    spans = torch.tensor([[place[min(1, len(place) - 1)], place[-1]] for place in places])
    span_loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), spans.T.reshape(-1), reduction="sum"
    )
    t |= {"span.logits": logits, "span.loss_sum": span_loss.reshape(1)}

    # Classes as words at a mask.
    one = lambda text: tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]  # noqa: E731
    names = WORDS.get(family.name, ["the", "red", "town"])
    words = [one(" " + word) for word in names]
    assert all(len(w) == 1 for w in words), words
    words = [w[0] for w in words]
    word_rows = []
    for a, b in pairs:
        question, comma = tokenizer.convert_tokens_to_ids(["?", ","])
        separators = [tokenizer.sep_token_id] * family.between
        row = [tokenizer.cls_token_id, *one(a), question, *separators, tokenizer.mask_token_id, comma]
        word_rows.append([*row, *(one(" " + b) if b else []), tokenizer.sep_token_id])
    word_batch = batch_of(word_rows, tokenizer.pad_token_id)
    at_mask = word_batch["input_ids"] == tokenizer.mask_token_id
    # Texts with a mask of their own in words have none in tokens.
    assert at_mask.sum() == len(pairs)
    output, _ = run(family, masked, word_batch)
    logits = output.logits[at_mask][:, words]
    p = prompt.clone().requires_grad_(True)
    output, _ = run(family, masked, word_batch, p)
    behind = torch.cat([at_mask[:, :1], torch.zeros(len(pairs), PROMPT_LENGTH, dtype=torch.bool), at_mask[:, 1:]], 1)
    logits_p = output.logits[behind][:, words]
    loss_of(logits_p).backward()
    t |= {"words.logits": logits, "words.loss_sum": loss_of(logits).reshape(1), "words.prompt.logits": logits_p,
          "words.prompt.grad": p.grad}

    save_file({k: v.detach().contiguous() for k, v in t.items()}, out / "reference.safetensors")
    t5.write_json(out / "reference.json", {
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "pairs": pairs,
        "input_ids": rows,
        "single_ids": single,
        # In characters of the second text, of its tokens alone.
        "offsets": [
            [list(o) for o, s in zip(e["offset_mapping"], e.sequence_ids()) if s == 1] for e in encoded
        ],
        "targets": TARGETS,
        "spans": spans.tolist(),
        "words": names,
        "word_ids": word_rows,
    })
    print(family.name, len(tokenizer), "ids,", batch["input_ids"].shape[1], "tokens,",
          sum(f.stat().st_size for f in out.iterdir()) // 1024, "kB")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for seed, family in enumerate(FAMILIES, start=21):
        make(family, seed)


if __name__ == "__main__":
    main()
