#!/usr/bin/env bash
# Builds and links the CUDA binary where no code host can be reached, checks what it says on a machine that it cannot run
# on, and runs the tests of Burn's compiler for NVIDIA's devices. The LLVM that compiles Burn's kernels comes from two
# PyPI wheels instead of a release on GitHub, and the file with CUDA's functions (libdevice) from a third; all are pinned
# by their hashes.
#
#     tests/cuda/link.sh DIR [--release …]      # what follows DIR goes to cargo build
#
# DIR keeps the wheels and what is unpacked from them (0.7 GB). Without a network, put the three wheels into DIR/wheels
# and the crates there with `cargo fetch` (then add --offline). Needs python3 with pip, unzip, and a C++ compiler.
# Later builds by hand:
#
#     XDG_DATA_HOME=DIR cargo build --features cuda
#     CUDA_PATH=DIR/nvidia/cuda_nvcc promptshift … --device cuda:0      # where no CUDA toolkit is installed
set -euo pipefail
data=$(realpath -m "$1")
cd "$(dirname "$(realpath "$0")")/../.."
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Where tracel-llvm-bundler looks; its version is part of the folder's name.
bundler=$(cargo tree --features cuda --invert tracel-llvm-bundler --depth 0 --prefix none --format '{p}' | head -1)
sdk=$data/tracel/tracel-llvm-${bundler#* v}
[[ $sdk == */tracel-llvm-23.1.* ]] || fail "wanted LLVM 23.1 for the wheels below, found $bundler"

mkdir -p "$data/wheels" "$data/tracel"
hashes="dcfec888abfaa418be77d41af585805f31463584cf9c90582992c00f392c1ac5  mlc_llvm_static-23.1.1.post0-py3-none-manylinux_2_28_x86_64.whl
c36e834d9a4e9cf9759f27fece65711ece7a2fc2b5a96dbb15d66f5e9e787929  mlc_llvm_static_extra_targets-23.1.1.post0-py3-none-manylinux_2_28_x86_64.whl
5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0  nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl"
all_there() { (cd "$data/wheels" && sha256sum --check --quiet <<<"$hashes"); }
all_there 2>/dev/null || python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$data/wheels" \
  mlc-llvm-static==23.1.1.post0 mlc-llvm-static-extra-targets==23.1.1.post0 nvidia-cuda-nvcc-cu12==12.9.86
all_there || fail "the wheels are not those that were tried"
if [[ ! -f $sdk/.tracel-llvm-installed ]]; then
  rm -rf "$sdk" "$data/mlc_llvm_static"
  for wheel in "$data"/wheels/mlc_llvm_static*.whl; do
    unzip -q -o "$wheel" 'mlc_llvm_static/static/*' -d "$data"
  done
  mv "$data/mlc_llvm_static/static" "$sdk"
  chmod +x "$sdk/bin/llvm-config"
  "$sdk/bin/llvm-config" --version
  touch "$sdk/.tracel-llvm-installed"
fi
unzip -q -o "$data"/wheels/nvidia_cuda_nvcc*.whl 'nvidia/cuda_nvcc/nvvm/*' -d "$data"

start=$SECONDS
built=$(XDG_DATA_HOME=$data cargo build --features cuda --bin promptshift --message-format json-render-diagnostics "${@:2}")
promptshift=$(grep -o '"executable":"[^"]*"' <<<"$built" | tail -1 | cut -d'"' -f4)
[[ -x $promptshift ]] || fail "no binary was built"
echo "linked $promptshift: $(($(stat -c %s "$promptshift") / 1000000)) MB, after $((SECONDS - start)) s"

# The program ends with code 2 and an error that contains the text.
refuses() {
  local wanted=$1 said code=0
  shift
  said=$("$@" 2>&1 >/dev/null) || code=$?
  [[ $code == 2 ]] || fail "wanted exit code 2, found $code: $said"
  [[ $said == *"$wanted"* ]] || fail "wanted '$wanted', found: $said"
  echo "ok: $said"
}
run=("$promptshift" transfer 'squad->textbookqa' --steps 1 --out "$data/never")

# A number that no machine has, so that a machine with GPUs passes as well.
refuses "device 'cuda:999' was not found" "${run[@]}" --device cuda:999
# With a driver that has one device, and without CUDA's functions. A library of two functions is driver enough: the
# program must stop before it asks for more.
mkdir -p "$data/driver" "$data/empty"
cc -shared -fPIC -x c -o "$data/driver/libcuda.so" - <<'C'
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
C
refuses "nvvm/libdevice/libdevice.10.bc, which has CUDA's exp, log and tanh: not found below $data/empty" \
  env LD_LIBRARY_PATH="$data/driver" CUDA_PATH="$data/empty" "${run[@]}" --device cuda:0
# Burn's compiler for these devices makes PTX of its own test kernels, which needs no driver. A dependency's tests run in
# a copy of it, with the versions that are locked here.
manifest=$(cargo metadata --format-version 1 --features cuda --offline |
  grep -o '"manifest_path":"[^"]*/cubecl-llvm-[^"]*"' | head -1 | cut -d'"' -f4)
rm -rf "$data/cubecl-llvm"
cp -r "$(dirname "$manifest")" "$data/cubecl-llvm"
cp Cargo.lock "$data/cubecl-llvm/"
echo '[workspace]' >>"$data/cubecl-llvm/Cargo.toml"
(cd "$data/cubecl-llvm" && XDG_DATA_HOME=$data cargo test --features nvptx --lib nvptx "${@:2}")

[[ -f $data/nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc ]] || fail "the wheel has no libdevice"
[[ ! -e $data/never ]] || fail "something was written to $data/never"
