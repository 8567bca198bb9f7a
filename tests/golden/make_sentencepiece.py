#!/usr/bin/env python3
"""Writes sentencepiece_tiny/: small spiece.model files and what the SentencePiece library makes of
hostile texts with them.

Run:  python3 tests/golden/make_sentencepiece.py     (sentencepiece, pyarrow)
Made with CPython 3.11.7, sentencepiece 0.2.3, pyarrow 26.0.1. SentencePiece up to 0.2.1 breaks
some ties between cuts otherwise.

* unigram.model: trained on generated passages of datasets/mini as T5's was: unigram, <pad> 0,
  </s> 1, <unk> 2. Its normaliser has the rules of nmt_nfkc for some blocks of Unicode only, since
  all of them are 237 kB.
* byte_fallback.model: the same with byte_fallback and a user-defined piece.
* reference.json: for each model and text the ids, each token's byte range, and the decoded text,
  with T5's hundred sentinels added as seqio.SentencePieceVocabulary does.

All texts are invented or come from datasets/mini.
"""

import io
import json
import random
import tempfile
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

HERE = Path(__file__).resolve().parent
MINI = HERE.parent.parent / "datasets" / "mini"
OUT = HERE / "sentencepiece_tiny"
SENTINELS = 100
USER_DEFINED = ["[PAR]"]

# Blocks whose rules the tiny normaliser has: (first, last).
RULES = [(0x0, 0x17F), (0x300, 0x345), (0x2000, 0x206F), (0x2100, 0x212B), (0x3000, 0x3000), (0xFB00, 0xFB06), (0xFF00, 0xFF5E)]


def with_sentinels(model):
    """A processor of `model` (bytes) with <extra_id_99> ... <extra_id_0> after its pieces."""
    proto = pb.ModelProto()
    proto.ParseFromString(model)
    for k in reversed(range(SENTINELS)):
        proto.pieces.add(
            piece=f"\u2581<extra_id_{k}>",
            score=0.0,
            type=pb.ModelProto.SentencePiece.USER_DEFINED,
        )
    return spm.SentencePieceProcessor(model_proto=proto.SerializeToString())


def encode(processor, text):
    """Ids, byte ranges, and the text of the ids without specials, sentinels and edge spaces."""
    pieces = processor.encode(text, return_type="proto").pieces
    ids = [p.id for p in pieces]
    kept = [
        i
        for i in ids
        if not processor.is_unknown(i)
        and not processor.is_control(i)
        and "<extra_id_" not in processor.id_to_piece(i)
    ]
    return ids, [[p.begin, p.end] for p in pieces], processor.decode(kept).strip()


def hostile_texts():
    """Texts on which tokenizers differ."""
    return [
        # white space
        "", " ", "   ", "\n", "\t \n ", "a", " a", "a ", "  a  b  ", "a\tb\nc\r\nd", "a\n\n\nb",
        "a\u00a0b", "a\u3000b", "a\u2003 b", "a\u200bb", "\u200b", "\u200b a", "a\u2028b\u2029c",
        "a\u0085b", "\ufeffa", "a\ufeff b", "soft\u00adhyphen",
        # the visible space, written
        "\u2581", "\u2581\u2581", "\u2581a", "a\u2581b", "a \u2581 b", "a\u2581", "a \u2581", "\u2581 a",
        # rules: full width, ligatures, accents alone and composed, one rule the start of another
        "ＡＢＣ　１２３！", "ﬁne oﬃce ﬅop", "caf\u00e9", "cafe\u0301", "A\u030angstrom", "\u212bngstrom",
        "\u212b\u0301", "\u212b\u0323", "e\u0323\u0301", "e\u0302\u0301", "\u0301a", " \u0301a", "a \u0301", "\u00a8",
        "a \u00a8 b", "a\u00a8", "\u00b4x \u00b4", "x \u2017", "½ cup", "1\u20442", "x² y³", "™ ℡ ℃ № …", "‴ ″ ′", "ŀ Ŀ ŉ",
        # control characters
        "\x00", "a\x00b", "a\x01b\x02c", "\x01", "\x01 a", " \x01 a \x01 ", "a \x01 b", "a\x7fb", "\x1b[0m",
        # what no piece spells
        "\u4e00", "a\u4e00\u4e01b", "\u4e00 \u4e01", "😀", "a 😀😀 b", "👩‍👩‍👧 🏳️‍🌈", "Привет мир", "\U00020000", "\ufffd", "\ufffe",
        "\U0010ffff", "\u0e33 \u0929 \u1112\u1161\u11ab",
        # specials in text
        "</s>", "<pad>", "a <unk> b", "＜/s＞ ＜pad＞", "<s>", "<0x41>", "a<0x0A>b",
        "<extra_id_0>", "a <extra_id_0> b <extra_id_1> c", "a<extra_id_0>b", "<extra_id_99> x", "<extra_id_100>",
        "<extra_id_0><extra_id_1>", " <extra_id_0> ", "＜extra_id_0＞", "\u2581<extra_id_0>", "x\u2581<extra_id_3>y",
        "<extra_id_0>,", "a\n<extra_id_5>\tb", "[PAR]", "a [PAR] b", "a[PAR]b", "[PAR][PAR] [PAR", "［PAR］", "[PAR] ",
        # ties between cuts: "l", "ll" or "ll", "l"? Sums are rounded otherwise in f64 and in
        # SentencePiece up to 0.2.1.
        "willl", "hilllll", "kItlll", "Jlllll", "lanxlll", "be Qlll", "GMarlll", "chv lll", "u 3 lllll", "q lllll",
        "0000000", "1111111111", "aaaaaaaaaaa", "---------", "......", "_________", "= == === ====", "?!?!?!",
        "e" * 300, "0" * 1000, "ab" * 400,
    ]


def random_texts(count, seed):
    """Strings of characters that have rules, pieces, or neither."""
    blocks = RULES + [(0x20, 0x7E)] * 6 + [(0x4E00, 0x4E10), (0x2581, 0x2581), (0x1F600, 0x1F610), (0x300, 0x30F)]
    rng = random.Random(seed)
    return [
        "".join(chr(rng.randint(*rng.choice(blocks))) for _ in range(rng.randint(1, 24)))
        for _ in range(count)
    ]


def mini_texts(split):
    """Passages and questions of the generated domains."""
    for file in sorted(MINI.glob(f"*/{split}.parquet")):
        table = pq.read_table(file)
        for column in ("context", "question", "sentence1", "sentence2", "question1", "question2"):
            if column in table.column_names:
                yield from table[column].to_pylist()


def rules():
    """nmt_nfkc on RULES' characters, and on letters with marks, as SentencePiece's tsv."""
    normalizer = spm.SentencePieceNormalizer(
        rule_name="nmt_nfkc", add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False
    )
    characters = [chr(c) for first, last in RULES for c in range(max(first, 1), last + 1)]
    composed = [unicodedata.normalize("NFD", c) for c in characters]
    # Marks in canonical order only; U+212B with a mark is a rule that begins with a rule.
    sources = characters + [s for s in composed if len(s) > 1] + ["\u212b\u0301", "\u212b\u0323"]
    lines = []
    for source in dict.fromkeys(sources):
        target = normalizer.normalize(source)
        if target != source:
            hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
            lines.append(f"{hexes(source)}\t{hexes(target)}")
    return "\n".join(lines) + "\n"


def train(**options):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        tsv.write(rules())
        tsv.flush()
        model = io.BytesIO()
        texts = list(mini_texts("train"))
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(random.Random(0).sample(texts, 8000)),
            model_writer=model,
            model_type="unigram",
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            normalization_rule_tsv=tsv.name,
            num_threads=1,
            minloglevel=2,
            **options,
        )
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    proto.trainer_spec.ClearField("input")
    # The path of a temporary file.
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)


def main():
    OUT.mkdir(exist_ok=True)
    models = {
        "unigram.model": train(vocab_size=800),
        "byte_fallback.model": train(
            vocab_size=800, byte_fallback=True, user_defined_symbols=USER_DEFINED
        ),
    }
    sample = random.Random(1).sample(sorted(set(mini_texts("test"))), 20)
    texts = hostile_texts() + random_texts(120, seed=2) + sample
    reference = {"texts": texts}
    for name, model in models.items():
        (OUT / name).write_bytes(model)
        processor = with_sentinels(model)
        encoded = [encode(processor, text) for text in texts]
        reference[name] = {
            "size": processor.get_piece_size(),
            "ids": [ids for ids, _, _ in encoded],
            "ranges": [ranges for _, ranges, _ in encoded],
            "decoded": [decoded for _, _, decoded in encoded],
        }
    with open(OUT / "reference.json", "w") as file:
        json.dump(reference, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
