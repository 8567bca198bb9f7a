#!/usr/bin/env python3
"""Compares `promptshift score` with the official scripts on the same predictions.

    check_scores.py PROMPTSHIFT FILE.parquet DOMAIN --squad squad_eval.py --mrqa mrqa_official_eval.py \\
        --t5 qa_utils.py [--model MODEL] [--rows N]

PROMPTSHIFT answers rows of FILE, of SQuAD's or MRQA's schema, with a model that need not know
anything (`predict`). Most of its predictions are then replaced by right answers and by what scripts
stumble over: articles, punctuation, other scripts and spaces, nothing at all, words left out, repeated
or strange. `promptshift score` scores them again, and so do

- SQuAD's evaluate-v1.1.py, as PyPI's allennlp 0.9.0 carries it, run as it is on a data set written in
  SQuAD's form;
- MRQA's mrqa_official_eval.py, run as it is on one written in MRQA's;
- `qa_metrics` of T5's qa_utils.py, as PyPI's t5 0.9.4 carries it.

Once with right answers as FILE has them (`--answers raw`), once as T5 pads them (those that `predict`
wrote). Exits with 1 where numbers differ in the six decimals that `score` prints. README.md says how to
get the three scripts. Needs pyarrow, and numpy and absl-py for T5's.
"""

import argparse
import gzip
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

MUTATIONS = [
    lambda p, gold, r: p,
    lambda p, gold, r: gold,
    lambda p, gold, r: f"the {gold}",
    lambda p, gold, r: f"{gold} a An THE",
    lambda p, gold, r: f"“{gold}”, — ({gold[::-1]})!",
    lambda p, gold, r: "".join(f" {c} " if not c.isalnum() else c for c in gold),
    lambda p, gold, r: gold.replace(" ", "-"),
    lambda p, gold, r: gold.upper(),
    lambda p, gold, r: gold.replace(" ", "\u00a0\u3000") + "\u200b",
    lambda p, gold, r: "".join(c + "\u0301" for c in gold),
    lambda p, gold, r: "İ ß ϒ ﬁ " + gold.swapcase(),
    lambda p, gold, r: "\x1c".join(gold.split()),
    lambda p, gold, r: " ".join(w for w in gold.split() if r.random() < 0.5),
    lambda p, gold, r: " ".join(r.choices(gold.split(), k=7)) if gold.split() else "x",
    lambda p, gold, r: f"{gold} {p} 🐦 山",
    lambda p, gold, r: "",
    lambda p, gold, r: "the a . , an",
    lambda p, gold, r: gold[: len(gold) // 2],
]


def table(file):
    """id: context, question and answers of each row."""
    rows = {}
    for row in pq.read_table(file).to_pylist():
        answers = row["answers"]
        answers = answers["text"] if isinstance(answers, dict) else answers
        rows[row.get("id") or row["qid"]] = (row["context"], row["question"], answers)
    return rows


def ours(promptshift, predictions):
    """The column `again`, by metric."""
    text = subprocess.run([promptshift, "score", predictions], check=True, capture_output=True, text=True).stdout
    words = [line.split() for line in text.splitlines()]
    return {w[2]: float(w[4]) for w in words if len(w) == 5 and w[2] in ("exact_match", "f1")}


def official(script, folder, data, predictions):
    """What an official script prints."""
    if data.suffix == ".gz":
        # It takes from AllenNLP only what downloads a data set; here there is nothing to download.
        stub = folder / "stub/allennlp/common"
        stub.mkdir(parents=True, exist_ok=True)
        (stub / "file_utils.py").write_text("def cached_path(path):\n    return path\n")
    path = os.pathsep.join([str(folder / "stub")])
    made = subprocess.run([sys.executable, script, data, predictions], check=True, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": path})
    return json.loads(made.stdout.splitlines()[-1])


def squad_form(path, rows):
    paragraphs = [
        {"context": context, "qas": [{"id": name, "question": question,
                                      "answers": [{"text": a, "answer_start": 0} for a in answers]}]}
        for name, (context, question, answers) in rows.items()
    ]
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}))


def mrqa_form(path, rows):
    with gzip.open(path, "wt") as file:
        print(json.dumps({"header": {"dataset": "", "split": ""}}), file=file)
        for name, (context, question, answers) in rows.items():
            qas = [{"qid": name, "question": question, "answers": answers}]
            print(json.dumps({"context": context, "qas": qas}), file=file)


def t5_metrics(script, golds, predictions):
    spec = importlib.util.spec_from_file_location("qa_utils", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    metrics = module.qa_metrics([[module.normalize_squad(g) for g in golds[name]] for name in golds],
                                [module.normalize_squad(predictions[name]) for name in golds])
    return {"exact_match": metrics["em"], "f1": metrics["f1"]}


def compare(arguments, form, folder):
    predict = [arguments.promptshift, "predict", "--data", arguments.file, "--domain", arguments.domain, "--model",
               arguments.model, "--rows", str(arguments.rows), "--answers", form, "--quiet", "--out", folder / "p.jsonl"]
    subprocess.run(predict, check=True)
    lines = [json.loads(line) for line in (folder / "p.jsonl").read_text().splitlines()]
    published = table(arguments.file)
    r = random.Random(1)
    for i, line in enumerate(lines):
        gold = r.choice(published[line["id"]][2])
        line["prediction"] = MUTATIONS[i % len(MUTATIONS)](line["prediction"], gold, r)
    with open(folder / "mutated.jsonl", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    predictions = {line["id"]: line["prediction"] for line in lines}
    (folder / "predictions.json").write_text(json.dumps(predictions))
    # As published the right answers come from the file itself, past promptshift.
    golds = {line["id"]: published[line["id"]][2] if form == "raw" else line["answers"] for line in lines}
    if form == "padded":
        differ = sum(golds[name] != published[name][2] for name in golds)
        print(f"  padding changes the answers of {differ} rows")
    rows = {name: (*published[name][:2], golds[name]) for name in golds}
    squad_form(folder / "squad.json", rows)
    mrqa_form(folder / "mrqa.jsonl.gz", rows)
    theirs = {
        "SQuAD's": official(arguments.squad, folder, folder / "squad.json", folder / "predictions.json"),
        "MRQA's": official(arguments.mrqa, folder, folder / "mrqa.jsonl.gz", folder / "predictions.json"),
        "T5's": t5_metrics(arguments.t5, golds, predictions),
    }
    mine, equal = ours(arguments.promptshift, folder / "mutated.jsonl"), True
    print(f"  answers {form}, {len(lines)} predictions: promptshift {mine}")
    for whose, metrics in theirs.items():
        shown = {metric: round(metrics[metric] / 100, 6) for metric in mine}
        same = all(abs(metrics[metric] / 100 - value) < 5.1e-7 for metric, value in mine.items())
        print(f"    {whose}: {shown} {'equal' if same else 'DIFFERENT'}")
        equal &= same and len(mine) == 2
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("promptshift", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("domain")
    for script in ("--squad", "--mrqa", "--t5"):
        parser.add_argument(script, type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rows", type=int, default=500)
    arguments = parser.parse_args()
    print(arguments.file)
    equal = True
    for form in ("raw", "padded"):
        with tempfile.TemporaryDirectory() as folder:
            equal &= compare(arguments, form, Path(folder))
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
