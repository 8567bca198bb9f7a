#!/usr/bin/env python3
"""Writes mlqa_scores.json: exact match and F1 of hostile (prediction, golds) pairs in each language.

Run:  python3 tests/golden/make_mlqa_scores.py     (standard library only)
Made with CPython 3.11.7 (Unicode tables 14.0.0).

The definitions below follow the official evaluation script of MLQA,
`mlqa_evaluation_v1.py`, of Lewis, Oguz, Rinott, Riedel and Schwenk, "MLQA:
Evaluating Cross-lingual Extractive Question Answering", ACL 2020
(https://github.com/facebookresearch/MLQA):

* normalisation: lower case; then no character of string.punctuation or of
  Unicode's categories P; then a space for each article of the language; then
  single spaces between words, where in Chinese every character of
  U+4E00..U+9FA5 is a word;
* em: 1 where the normalised strings are equal, else 0;
* f1: over the multisets of the normalised strings' words, 0 where they share none;
* each is the greatest over the golds.

That script has Arabic, German, English, Spanish, Hindi, Vietnamese and Chinese
and raises an exception for others. The other languages of XQuAD (Greek,
Romanian, Russian, Thai, Turkish) are treated as it treats Hindi.

All strings are invented; none come from a data set.
"""

import json
import re
import string
import sys
import unicodedata
from collections import Counter
from pathlib import Path

PUNCTUATION = set(string.punctuation) | {
    chr(i) for i in range(sys.maxunicode) if unicodedata.category(chr(i)).startswith("P")
}
ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "\\sال^|ال",
}


def mixed_segmentation(text):
    words, run = [], ""
    for c in text:
        if re.search(r"[\u4e00-\u9fa5]", c) or c in PUNCTUATION:
            words.extend(run.split())
            run = ""
            words.append(c)
        else:
            run += c
    return words + run.split()


def normalized(text, language):
    text = "".join(c for c in text.lower() if c not in PUNCTUATION)
    if language in ARTICLES:
        text = re.sub(ARTICLES[language], " ", text)
    words = mixed_segmentation(text) if language == "zh" else text.split()
    return " ".join(word for word in words if word.strip() != "")


def em_score(prediction, gold, language):
    return float(normalized(prediction, language) == normalized(gold, language))


def f1_score(prediction, gold, language):
    p, g = (normalized(text, language).split() for text in (prediction, gold))
    same = sum((Counter(p) & Counter(g)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(p), same / len(g)
    return 2 * precision * recall / (precision + recall)


PAIRS = {
    "en": [
        ("The Old Mill.", ["old mill"]),
        ("“The mill”", ["mill"]),
        ("an 18–20 year span", ["18-20 year span"]),
        ("theatre", ["the atre"]),
        ("¿mill?", ["mill", "barn"]),
        ("", [""]),
        ("the", ["a"]),
        ("3.50 €", ["3.50", "€ 3.50"]),
    ],
    "de": [
        ("die alte Mühle", ["alte Mühle"]),
        ("eines der Häuser", ["Häuser"]),
        ("Die „Alte Mühle“", ["alte mühle"]),
        ("des Müllers Tochter", ["Tochter des Müllers"]),
        ("derselbe Müller", ["selbe Müller"]),
        ("STRASSE", ["Straße", "strasse"]),
        ("ein", ["eine"]),
        ("im Jahr 1902", ["1902"]),
    ],
    "es": [
        ("el molino viejo", ["molino viejo"]),
        ("¡Los molinos!", ["molinos"]),
        ("unas casas", ["las casas", "casas blancas"]),
        ("elmolino", ["el molino"]),
        ("la", ["él"]),
        ("a las 3", ["3"]),
    ],
    "vi": [
        ("cái cối xay", ["cối xay"]),
        ("những người của làng", ["người làng"]),
        ("là", [""]),
        ("chiếc thuyền", ["con thuyền", "thuyền"]),
        ("làng", ["là ng"]),
        ("của\u0301 làng", ["làng"]),
    ],
    "ar": [
        ("الطاحونة القديمة", ["طاحونة قديمة"]),
        ("في المدينة", ["المدينة", "مدينة"]),
        ("خالد", ["خ د"]),
        ("ال", [""]),
        ("بيت، كبير؟", ["بيت كبير"]),
        ("السنة ١٩٠٢", ["١٩٠٢"]),
        ("مال", ["م"]),
    ],
    "hi": [
        ("पुरानी चक्की।", ["पुरानी चक्की"]),
        ("एक चक्की", ["चक्की"]),
        ("१९०२ में", ["१९०२"]),
        ("चक्की॥", ["चक्की"]),
    ],
    "zh": [
        ("旧磨坊。", ["旧磨坊"]),
        ("在1902年", ["1902年"]),
        ("磨坊 mill house", ["mill 磨坊"]),
        ("《旧磨坊》", ["磨坊", "旧磨"]),
        ("IBM公司", ["IBM 公司"]),
        ("的", ["の"]),
        ("龦", ["龥"]),
        ("かな", ["か な"]),
    ],
    "el": [("ο παλιός μύλος·", ["παλιός μύλος"]), ("ΜΎΛΟΣ", ["μύλος"]), ("το 1902", ["1902"])],
    "ro": [("moara veche", ["vechea moară", "moara"]), ("„moara”", ["moara"])],
    "ru": [("«Старая мельница»", ["старая мельница"]), ("в 1902 году", ["1902", "1902 год"])],
    "th": [("โรงสีเก่า", ["โรงสี"]), ("ปี 1902", ["1902"]), ("โรงสีเก่า๚", ["โรงสีเก่า"])],
    "tr": [("eski değirmen", ["değirmen"]), ("İstanbul'da", ["istanbulda"]), ("IRMAK", ["ırmak", "irmak"])],
}
# The same pairs in every language: what differs is the language alone.
COMMON = [
    ("the la der là ال 磨", ["磨"]),
    ("U.S. — “x”", ["us x"]),
]


def main():
    rows = []
    for language, pairs in PAIRS.items():
        for prediction, golds in pairs + COMMON:
            rows.append(
                {
                    "language": language,
                    "prediction": prediction,
                    "golds": golds,
                    "normalized_prediction": normalized(prediction, language),
                    "normalized_golds": [normalized(gold, language) for gold in golds],
                    "em": max(em_score(prediction, gold, language) for gold in golds),
                    "f1": max(f1_score(prediction, gold, language) for gold in golds),
                }
            )
    path = Path(__file__).with_name("mlqa_scores.json")
    path.write_text(json.dumps({"pairs": rows}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(path.name, len(rows))


main()
