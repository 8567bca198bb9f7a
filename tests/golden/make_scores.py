#!/usr/bin/env python3
"""Writes squad_scores.json: exact match and F1 of hostile (prediction, golds) pairs.

Run:  python3 tests/golden/make_scores.py     (standard library only)
Made with CPython 3.11.7 (Unicode tables 14.0.0).

The three definitions below follow the official SQuAD v1.1 evaluation script,
`evaluate-v1.1.py`, of Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD: 100,000+
Questions for Machine Comprehension of Text", EMNLP 2016
(https://rajpurkar.github.io/SQuAD-explorer/, https://arxiv.org/abs/1606.05250):

* normalize_answer: lower case; then delete the characters of
  `string.punctuation` (the 32 ASCII ones, nothing replaces them); then replace
  the matches of \\b(a|an|the)\\b by one space; then split on white space and
  join with single spaces.
* em: 1 where the normalized strings are equal, else 0.
* f1: over the multisets of the normalized strings' tokens, 0 where they share
  no token (so two empty strings have em 1 but f1 0), else 2pr / (p + r).
* Each is the greatest over the golds. Values here are in 0..1; the official
  script multiplies its averages by 100.

These are Python's own notions of a word, a space and lower case, and some pairs
depend on them: `\\b` takes for a word character what `str.isalnum()` does (so
not a combining mark), and `str.split()` splits at U+001C..U+001F as well.

All strings are invented; none come from a data set.
"""

import json
import re
import string
from collections import Counter
from pathlib import Path

PUNCTUATION = set(string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(s):
    s = s.lower()
    s = "".join(c for c in s if c not in PUNCTUATION)
    s = ARTICLES.sub(" ", s)
    return " ".join(s.split())


def em_score(prediction, gold):
    return float(normalize_answer(prediction) == normalize_answer(gold))


def f1_score(prediction, gold):
    p_tokens = normalize_answer(prediction).split()
    g_tokens = normalize_answer(gold).split()
    same = sum((Counter(p_tokens) & Counter(g_tokens)).values())
    if same == 0:
        return 0.0
    precision = 1.0 * same / len(p_tokens)
    recall = 1.0 * same / len(g_tokens)
    return (2 * precision * recall) / (precision + recall)


PAIRS = [
    # plain
    ("green lantern moth", ["green lantern moth"]),
    ("green lantern moth", ["blue kettle"]),
    ("green moth", ["green lantern moth"]),
    ("lantern moth green", ["green lantern moth"]),
    ("GREEN Lantern mOTH", ["green lantern moth"]),
    # articles
    ("the old mill", ["old mill"]),
    ("The Old Mill", ["an old mill"]),
    ("a", ["the"]),
    ("a", ["a"]),
    ("the the the", ["an a"]),
    ("the a mill", ["mill"]),
    ("theatre and another anvil", ["atre nd nother nvil"]),
    ("Theodora the thea", ["theodora thea"]),
    ("mill the", ["mill"]),
    ("vitamin A", ["vitamin"]),
    ("plan a or plan b", ["plan b"]),
    # the punctuation goes before the articles: joins make or hide articles
    ("t.h.e mill", ["mill"]),
    ("a.n. Orlov", ["Orlov"]),
    ("the-mill", ["mill"]),
    ("the-mill", ["themill"]),
    ("the_mill", ["mill"]),
    ("a/the", [""]),
    ("'the' \"mill\"", ["mill"]),
    ("th'e mill", ["mill"]),
    # punctuation
    ("well-known fact", ["well known fact"]),
    ("well-known fact", ["wellknown fact"]),
    ("O'Brannagh's", ["obrannaghs"]),
    ("rock & roll", ["rock roll"]),
    ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", ["..."]),
    ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~x", ["x"]),
    ("co\u2013pilot", ["copilot"]),
    ("\u201cmill\u201d", ["mill"]),
    ("mill\u2019s wheel", ["mill's wheel"]),
    ("\u00bfmill?", ["mill"]),
    ("the\u2014mill", ["\u2014mill"]),
    ("snake_case_name", ["snakecasename"]),
    # empty strings
    ("", [""]),
    ("", ["mill"]),
    ("mill", [""]),
    ("   ", ["the"]),
    ("...", ["mill", ""]),
    # repeated words
    ("dig dig dig", ["dig"]),
    ("dig", ["dig dig dig"]),
    ("dig dig hole hole", ["dig hole hole tree"]),
    ("ha ha ha ha ha ha ha", ["ha ha ha"]),
    ("one two two three three three", ["three two one"]),
    # several golds: em and f1 are each the greatest, perhaps of different golds
    ("red barn", ["blue barn", "the red barn", "barn"]),
    ("red barn door", ["red", "red barn", "barn door handle knob"]),
    ("north gate", ["south gate", "north road", "east wall"]),
    ("x", ["y", "z", "w"]),
    ("the", ["gate", "a"]),
    # numbers
    ("1,204", ["1204"]),
    ("3.50", ["350"]),
    ("$12.99", ["1299"]),
    ("-7", ["7"]),
    ("12 %", ["12"]),
    ("1 204", ["1204"]),
    ("twelve", ["12"]),
    ("\u0663\u0664", ["34"]),
    ("10\u00b2 units", ["10 units"]),
    ("a\u00b2 the\u00bd", ["\u00b2 \u00bd"]),
    ("17th-18th", ["17th18th century"]),
    ("2a", ["2"]),
    # white space
    ("  old \t mill\n", ["old mill"]),
    ("old\u00a0mill", ["old mill"]),
    ("old\u3000the\u2003mill", ["old mill"]),
    ("old\u200bmill", ["old mill"]),
    ("old\u001cmill\u001fwheel", ["old mill wheel"]),
    ("old\u0085mill\u2028wheel", ["old mill wheel"]),
    ("old\ufeffmill", ["old mill"]),
    # unicode: lower case, combining marks, word characters
    ("CAF\u00c9 Z\u00dcNDEL", ["caf\u00e9 z\u00fcndel"]),
    ("cafe\u0301", ["caf\u00e9"]),
    ("\u0130zgara", ["i\u0307zgara"]),
    ("\u0130zgara", ["izgara"]),
    ("\u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3", ["\u03bf\u03b4\u03bf\u03c2 \u03c3\u03b1\u03c2"]),
    ("STRA\u00dfE", ["strasse"]),
    ("\u1e9eorn", ["\u00dforn"]),
    ("\u00e0 port", ["port"]),
    ("a\u0300 port", ["\u0300 port"]),
    ("a\u0300 port", ["\u00e0 port"]),
    ("the\u0903 port", ["\u0903 port"]),
    ("a\u24d0 port", ["\u24d0 port"]),
    ("a\u203fport", ["\u203fport"]),
    ("a\u5c71 port", ["port"]),
    ("\u9752\u3044\u5c71", ["\u9752\u3044 \u5c71"]),
    ("\uff34\uff48\uff45 mill", ["mill"]),
    ("\uff54\uff48\uff45 mill", ["\uff34\uff28\uff25 mill"]),
    ("\U0001f426 the \U0001f41f", ["\U0001f426 \U0001f41f"]),
    ("the\U0001f426", ["\U0001f426"]),
    ("na\u00efve \u0430 mill", ["na\u00efve mill"]),
]


def main():
    rows = []
    for prediction, golds in PAIRS:
        rows.append(
            {
                "prediction": prediction,
                "golds": golds,
                "normalized_prediction": normalize_answer(prediction),
                "normalized_golds": [normalize_answer(g) for g in golds],
                "em": max(em_score(prediction, g) for g in golds),
                "f1": max(f1_score(prediction, g) for g in golds),
            }
        )
    out = Path(__file__).resolve().parent / "squad_scores.json"
    # ASCII only, so that an editor cannot change a combining mark or a space.
    lines = ",\n".join(json.dumps(r, ensure_ascii=True) for r in rows)
    out.write_text('{"pairs": [\n' + lines + "\n]}\n", encoding="ascii")
    print(f"{out}: {len(rows)} pairs")


if __name__ == "__main__":
    main()
