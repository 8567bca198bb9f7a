#!/usr/bin/env bash
# Makes the report on a GPU in one go, below OUT: what the machine is (environment.txt), whether the device computes what
# the CPU computes (devices.txt), speed and memory (bench/report.md), and a small study of the bundled miniature on the
# device (report.md), compared with the same study on the CPU (compare.txt). After the build, which takes longest, it
# should take about ten minutes; no GPU has run it yet.
#
#     reports/gpu.sh [DEVICE [OUT]]       # at the repository's root; cuda:0 and reports/gpu unless given
#
# Variables: SHORT=1 measures the miniature alone and trains for a few steps, PROFILE names another build than release
# (dev is quicker to build and slower to run), PROMPTSHIFT_PEAK_TFLOPS is the peak of a card that is not known. Without a
# GPU, `SHORT=1 PROFILE=dev reports/gpu.sh cpu runs/gpu-trial` goes through all of it but the comparison of devices.
set -Eeuo pipefail
device=${1:-cuda:0}
out=${2:-reports/gpu}
out=${out%/}
profile=${PROFILE:-release}
features=()
[[ $device == cpu ]] || features=(--features "${device%%:*}")
steps=100 benches='train_step|peak_memory|encoder|decode'
if [[ -n ${SHORT:-} ]]; then
    steps=2 benches='(train_step|peak_memory/.*)/(prompt|model)/nano'
fi
promptshift() { cargo run --quiet --profile "$profile" "${features[@]}" -- "$@"; }
step() { echo "== $*" >&2; }
if [[ -e $out ]]; then
    echo "$out: wanted a folder that is not there yet, because its report would be lost" >&2
    exit 2
fi
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
mkdir "$work/more"
trap 'echo "failed; what there is so far is in $work" >&2' ERR

step "build"
cargo build --profile "$profile" "${features[@]}"

step "environment"
{
    promptshift --version
    git log -1 --format='revision %H' || true
    rustc --version
    echo "device $device, profile $profile, CUDA_PATH ${CUDA_PATH:-not set}, CUDARC_CUDA_VERSION ${CUDARC_CUDA_VERSION:-not set}"
    grep -m 1 'model name' /proc/cpuinfo || true
    nproc || true
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv || echo "no nvidia-smi"
} >"$work/more/environment.txt" 2>&1

step "does the device compute what the CPU computes?"
if [[ $device == cpu ]]; then
    echo "not run: the device is the CPU" >"$work/more/devices.txt"
else
    # What follows is still wanted where they differ.
    PROMPTSHIFT_DEVICE=$device cargo test --profile "$profile" "${features[@]}" --test it devices \
        >"$work/more/devices.txt" 2>&1 || echo "the test failed: see $work/more/devices.txt" >&2
fi

step "speed and memory"
criterion=$(realpath "$work")/criterion
CRITERION_HOME=$criterion PROMPTSHIFT_DEVICE=$device \
    cargo bench --profile "$profile" "${features[@]}" --bench suite --bench memory -- --quick "$benches" \
    >"$work/more/bench.txt" 2>&1
promptshift report --bench "$criterion" --out "$work/more/bench"
rm -r "$criterion"

step "a study on the device and on the CPU"
study=(transfer 'squad->textbookqa' --methods 'prompt,model' --seeds 1 --steps "$steps" --eval-rows 100)
promptshift "${study[@]}" --device "$device" --store "$work/store" --out "$work/study"
promptshift "${study[@]}" --device cpu --store "$work/store-cpu" --out "$work/study-cpu"
# It ends with 1 if the device scores significantly lower.
promptshift compare "$work/study-cpu" "$work/study" >"$work/more/compare.txt" 2>&1 \
    || echo "ended with $?" >>"$work/more/compare.txt"

mv "$work"/more/* "$work/study"
mv "$work/study" "$out"
rm -r "$work"
echo "$out: environment.txt, devices.txt, bench/report.md, report.md, compare.txt"
