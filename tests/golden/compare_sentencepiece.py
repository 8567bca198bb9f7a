#!/usr/bin/env python3
"""Compares our tokens with those of the SentencePiece library, on any model and data.

    compare_sentencepiece.py texts DATA TEXTS.json
    PROMPTSHIFT_SPIECE=spiece.model PROMPTSHIFT_TEXTS=TEXTS.json PROMPTSHIFT_TOKENS=TOKENS.json \\
        cargo test --test it tokens_of_any_model -- --ignored
    compare_sentencepiece.py compare spiece.model TEXTS.json TOKENS.json

`texts` gathers every string of the parquet files below DATA, the texts of make_sentencepiece.py,
every assigned character within a text, and random strings over many scripts. `compare` exits with
1 where ids, byte ranges or decoded texts differ; of byte pairs only ids are compared, of texts without special tokens.
Needs sentencepiece 0.2.2 or later, and pyarrow.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

from make_sentencepiece import encode, hostile_texts, random_texts, with_sentinels

SCRIPTS = [(0x20, 0x7E)] * 6 + [
    (0x00, 0x1F), (0x20, 0x20), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x600, 0x6FF), (0x900, 0x97F),
    (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2460, 0x24FF), (0x2581, 0x2581),
    (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x1F300, 0x1F6FF),
]


def data_texts(folder):
    for file in sorted(Path(folder).rglob("*.parquet")):
        table = pq.read_table(file)
        for column, field in zip(table.columns, table.schema):
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                yield from (text for text in column.to_pylist() if text is not None)


def character_texts():
    """Every assigned character outside the private areas; composed ones with one more mark."""
    for code in range(0x110000):
        c = chr(code)
        if unicodedata.category(c) not in ("Cn", "Co", "Cs"):
            yield f"a{c}b {c}"
    for first, last in [(0xC0, 0x24F), (0x1E00, 0x1FFF), (0x2100, 0x214F)]:
        for code in range(first, last + 1):
            for mark in "\u0300\u0301\u0308\u0323\u0327\u0345":
                yield "x" + chr(code) + mark
                yield unicodedata.normalize("NFD", chr(code)) + mark


def script_texts(count, seed):
    rng = random.Random(seed)
    return [
        "".join(chr(rng.randint(*rng.choice(SCRIPTS))) for _ in range(rng.randint(1, rng.choice([4, 12, 60]))))
        for _ in range(count)
    ]


def gather(data, texts):
    found = list(dict.fromkeys(data_texts(data)))
    ours = [*hostile_texts(), *random_texts(5000, seed=3), *character_texts(), *script_texts(60000, seed=5)]
    Path(texts).write_text(json.dumps(found + ours))
    print(f"{len(found)} texts of data, {len(ours)} of ours")


def compare(model, texts, tokens):
    processor = spm.SentencePieceProcessor(model_file=model)
    special = [processor.id_to_piece(i) for i in range(len(processor)) if processor.is_control(i)]
    proto = pb.ModelProto()
    proto.ParseFromString(Path(model).read_bytes())
    is_byte_pairs = proto.trainer_spec.model_type == pb.TrainerSpec.BPE
    if not is_byte_pairs:
        processor = with_sentinels(Path(model).read_bytes())
    texts = json.loads(Path(texts).read_text())
    ours = json.loads(Path(tokens).read_text())
    assert len(texts) == len(ours), "another file's tokens"
    count, different = 0, {"ids": 0} if is_byte_pairs else {"ids": 0, "ranges": 0, "decoded": 0}
    for text, own in zip(texts, ours):
        if is_byte_pairs and any(token in text for token in special):
            continue
        reference = encode(processor, text)
        count += len(reference[0])
        for part, wanted in zip(different, reference):
            if own[part] != wanted:
                different[part] += 1
                print(f"{part} of {text[:60]!r}: wanted {wanted}, found {own[part]}")
    print(f"{len(texts)} texts, {count} tokens; texts that differ: {different}")
    sys.exit(1 if any(different.values()) else 0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["texts", data, texts]:
            gather(data, texts)
        case ["compare", model, texts, tokens]:
            compare(model, texts, tokens)
        case _:
            sys.exit(__doc__)
