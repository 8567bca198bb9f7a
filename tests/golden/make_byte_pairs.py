#!/usr/bin/env python3
"""Writes byte_pairs_tiny/: tiny vocabularies of byte pairs as decoder-only models have them, and the ids of
hostile texts.

Run:  python3 tests/golden/make_byte_pairs.py
Made with CPython 3.11.7, sentencepiece 0.2.3, tokenizers 0.22.2, transformers 4.57.6, gguf 0.19.0, pyarrow 26.0.1.

* llama.model, gemma.model: SentencePiece models of byte pairs with byte_fallback and the settings of Llama 2's and
  Gemma's: with and without a space before the text; Gemma's has user-defined pieces of white space and of tags.
* llama.gguf, gemma.gguf, llama-bpe.gguf, qwen2.gguf: metadata alone, with the same two, and a byte-level vocabulary
  with the splitting of Llama 3 and of Qwen2.
* reference.json: for each of the four the ids. llama and gemma: of the SentencePiece library. llama-bpe and qwen2: of
  merges written out here, on pieces that Python's `regex` cuts by the expressions in llama.cpp's src/llama-vocab.cpp
  (and, as Transformers' Qwen2Tokenizer, after NFC); asserted equal to `tokenizers` with Transformers' definitions.

All texts are invented or come from datasets/mini.
"""

import io
import json
import random
import unicodedata
from pathlib import Path

import gguf
import regex
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from make_sentencepiece import hostile_texts, mini_texts, random_texts

OUT = Path(__file__).resolve().parent / "byte_pairs_tiny"
# src/llama-vocab.cpp, llm_tokenizer_bpe: LLAMA_VOCAB_PRE_TYPE_LLAMA3 and _QWEN2.
LLAMA_CPP = {
    "llama-bpe": r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
# Transformers' convert_slow_tokenizer.py: TikTokenConverter and Qwen2Converter.
TRANSFORMERS = {
    "llama-bpe": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "qwen2": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
}
SPACES = ["\u2581" * n for n in range(2, 6)]
LINES = ["\n" * n for n in range(1, 4)]
TAGS = ["<table>", "</table>", "<h1>"]
MORE = [
    "it's IT'S we'Re they'VE I'm I'LL he'd", "don't  don''t", "12 123 1234 12345 ٣٤٥ ½", "a1b22c333", "x = [1, 2];\n\n  y",
    "end.\r\n\r\n next", "    four\n\t\ttabs", "naïve cafe\u0301 \u1100\u1161", "  \n  \n x", "<table>a</table> <h1> b",
    "a     b      c", "\n\n\n\n\n", "a\n \n\nb\n", "\t", "a\tb\t\tc", "ſ's 'ſ K", "!!!\n???", " .,;\n x",
]


def passages():
    return random.Random(0).sample(list(mini_texts("train")), 4000)


def train(**options):
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(passages()), model_writer=model, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, num_threads=1, minloglevel=2,
        split_digits=True, **options,
    )
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    proto.trainer_spec.ClearField("input")
    return proto


def write_spm_gguf(name, proto, space):
    w = gguf.GGUFWriter(str(OUT / f"{name}.gguf"), "llama")
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    w.add_token_list([p.piece.encode() for p in proto.pieces])
    w.add_token_scores([p.score for p in proto.pieces])
    w.add_token_types([p.type for p in proto.pieces])
    w.add_bos_token_id(proto.trainer_spec.bos_id)
    w.add_unk_token_id(proto.trainer_spec.unk_id)
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_add_space_prefix(space)
    finish(w)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def byte_level(name):
    """A vocabulary of Llama 3's or Qwen2's kind."""
    tok = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    if name == "qwen2":
        tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(TRANSFORMERS[name]), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )
    tok.train_from_iterator(passages(), trainer)
    saved = json.loads(tok.to_str())
    vocab = sorted(saved["model"]["vocab"], key=saved["model"]["vocab"].get)
    return tok, vocab, [tuple(merge) for merge in saved["model"]["merges"]]


def merged(word, ids, ranks, whole_words):
    if whole_words and word in ids:
        return [ids[word]]
    parts = list(word)
    while len(parts) > 1:
        found = [(ranks[pair], at) for at, pair in enumerate(zip(parts, parts[1:])) if pair in ranks]
        if not found:
            break
        _, at = min(found)
        parts[at:at + 2] = [parts[at] + parts[at + 1]]
    return [ids[part] for part in parts]


def write_byte_level(name, texts):
    tok, vocab, merges = byte_level(name)
    ids, ranks = {token: i for i, token in enumerate(vocab)}, {pair: i for i, pair in enumerate(merges)}
    letters = bytes_to_unicode()
    special = ["<|begin_of_text|>", "<|end_of_text|>"]
    w = gguf.GGUFWriter(str(OUT / f"{name}.gguf"), "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(name)
    w.add_token_list(vocab + special)
    w.add_token_types([1] * len(vocab) + [3] * len(special))
    w.add_token_merges([" ".join(pair) for pair in merges])
    w.add_bos_token_id(len(vocab))
    w.add_eos_token_id(len(vocab) + 1)
    if name == "qwen2":
        w.add_add_bos_token(False)
    finish(w)
    out = []
    for text in texts:
        read = unicodedata.normalize("NFC", text) if name == "qwen2" else text
        pieces = regex.findall(LLAMA_CPP[name], read)
        assert "".join(pieces) == read, text
        own = [
            i for piece in pieces
            for i in merged("".join(letters[b] for b in piece.encode()), ids, ranks, name == "llama-bpe")
        ]
        # llama.cpp's expression does not fold the long s.
        assert own == tok.encode(text).ids or "\u017f" in text, text
        out.append(tok.encode(text).ids)
    return out


def main():
    OUT.mkdir(exist_ok=True)
    special = ("<s>", "</s>", "<pad>", "<unk>", "<bos>", "<eos>")
    texts = [t for t in hostile_texts() if not any(s in t for s in special)]
    texts += MORE + random_texts(150, seed=5) + random.Random(1).sample(sorted(set(mini_texts("test"))), 15)
    reference = {"texts": texts}
    for name, options in [
        ("llama", dict(vocab_size=700, add_dummy_prefix=True, unk_id=0, bos_id=1, eos_id=2)),
        ("gemma", dict(
            vocab_size=720, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
            eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=LINES + SPACES + TAGS,
        )),
    ]:
        proto = train(**options)
        (OUT / f"{name}.model").write_bytes(proto.SerializeToString(deterministic=True))
        processor = spm.SentencePieceProcessor(model_proto=proto.SerializeToString())
        reference[name] = [processor.encode(text) for text in texts]
        write_spm_gguf(name, proto, options["add_dummy_prefix"])
    for name in LLAMA_CPP:
        reference[name] = write_byte_level(name, texts)
    with open(OUT / "reference.json", "w") as file:
        json.dump(reference, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
