#!/usr/bin/env bash
# Makes the report of all-MiniLM-L6-v2 (22.7 million parameters) with a span head on real questions: SQuAD to new
# Wikipedia, Amazon reviews and BioASQ, four seeds of LoRA (rank 16 on every linear layer), Houlsby adapters, BitFit and
# model tuning, each with a learning rate out of three trials. The rates around which LoRA's and model tuning's trials
# lie come from a pilot of 100 steps. It takes about ten core hours; records are reused and interrupted trainings resume, so the same line finishes a run that was
# interrupted.
#
#     reports/minilm-squad.sh DATA MODEL [--dry-run]   # at the repository's root; records keep both paths as typed
#
# DATA holds squad/, squadshifts_new_wiki/, squadshifts_amazon/ and bioasq/ as parquet; MODEL is made as for minilm.sh.
# What follows the two goes to `transfer`. The report that is committed holds no texts of the data: `redact` leaves
# hashes of them.
set -euo pipefail
data=$1
model=$2
runs=runs/minilm-squad
report=reports/minilm-squad

# One build for all of it: records name its revision.
cargo build --quiet
promptshift=target/debug/promptshift
$promptshift transfer 'squad->squadshifts_new_wiki,squadshifts_amazon,bioasq' --data "$data" --model "$model" \
    --methods lora,model,houlsby,bitfit \
    --learning-rate lora=0.003,model=0.0003,houlsby=0.003,bitfit=0.01 --lora-maps q,k,v,o,wi_1,wo --lora-rank 16 \
    --seeds 4 --trials 3 --steps 200 --batch-size 16 --validation-rows 300 --eval-rows 500 --keep all \
    --out "$runs" "${@:3}"
[[ " ${*:3} " != *' --dry-run '* ]] || exit 0
$promptshift redact "$runs" --out "$report.new"
find "$report.new" -name '*.jsonl' -exec gzip -9n {} +
rm -rf "$report"
mv "$report.new" "$report"
$promptshift report "$report" --html
