#!/usr/bin/env bash
# A study of 13 cells on a real Slurm of one node: two of its trainings are requeued while they run and one comes to its
# time limit. What it comes to is held, bit for bit, against the same study without Slurm. As root, some ten minutes:
#
#     apt-get install slurm-wlm munge
#     tests/slurm/preemption.sh target/debug/promptshift [DIR]
set -euo pipefail
tests=$(dirname "$(realpath "$0")")
promptshift=$(realpath "$1")
dir=$(realpath -m "${2:-$(mktemp -d)}")
mkdir -p "$dir"
cd "$dir"
study=(transfer 'squad->textbookqa' --methods 'prompt,lora' --seeds 3 --steps "${STEPS:-400}" --train-rows 200
  --validation-rows 40 --eval-rows 40)
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

"$tests/one_node.sh" start "$dir/node"
trap '"$tests/one_node.sh" stop "$dir/node"' EXIT
export SLURM_CONF="$dir/node/slurm.conf"

"$promptshift" slurm "${study[@]}" --out cluster --store cluster-store --cells-per-task 1 --submit -- \
  --time=30 --signal=USR1@30
trainings=$(cat cluster/slurm/1/trainings-1.job)

# The log of the task of this index in the first array of trainings.
log() { echo "cluster/slurm/1/logs/trainings-1-${trainings}_$1.log"; }
is_running() { squeue --noheader --jobs="${trainings}_$1" --format=%T 2>/dev/null | grep -q RUNNING; }
wait_until_it_trains() {
  for _ in $(seq 600); do
    if is_running "$1" && grep -q "source validation" "$(log "$1")" 2>/dev/null; then return; fi
    sleep 0.5
  done
  fail "task $1 never trained"
}
for task in 0 1; do
  wait_until_it_trains "$task"
  sleep 5
  echo "requeue ${trainings}_$task"
  scontrol requeue "${trainings}_$task"
done
wait_until_it_trains 2
echo "time limit of ${trainings}_2: one minute"
scontrol update "jobid=${trainings}_2" TimeLimit=1
for _ in $(seq 240); do
  if ! is_running 2; then break; fi
  sleep 0.5
done
# As a user does whose time was too short.
scontrol update "jobid=${trainings}_2" TimeLimit=30

for _ in $(seq 360); do
  if [ -z "$(squeue --noheader)" ]; then break; fi
  sleep 5
done
"$promptshift" slurm status cluster
[ -z "$(squeue --noheader)" ] || fail "jobs are left"
for task in 0 1 2; do
  grep -q "resumes from step" "$(log "$task")" || fail "task $task did not resume"
done
grep -q "exit code 75" "$(log 2)" || fail "task 2 did not end with 75"
"$promptshift" slurm "${study[@]}" --out cluster --store cluster-store --submit | grep -q "nothing to submit" ||
  fail "something is left to submit"

"$promptshift" "${study[@]}" --out plain --store plain-store >plain.md
count=0
for file in plain/*/*.jsonl plain/*/*.safetensors; do
  other=cluster/${file#plain/}
  if [[ $file == *.safetensors ]]; then
    # The tensors, without what stands before them: when they were computed and by what.
    tensors() { tail -c "+$((9 + $(od -An -t u8 -N 8 "$1")))" "$1"; }
    cmp <(tensors "$file") <(tensors "$other") || fail "$file"
  else
    cmp "$file" "$other" || fail "$file"
  fi
  count=$((count + 1))
done
[ "$(ls -d plain/*/)" = "$(ls -d cluster/*/ | grep -v slurm | sed 's/^cluster/plain/')" ] || fail "other records"
echo "equal bit for bit: $count files of $(ls plain/*/record.json | wc -l) records"
