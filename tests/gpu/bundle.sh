#!/usr/bin/env bash
# Everything that a machine with an NVIDIA GPU needs to verify and measure this library, built here, without one.
#
#   tests/gpu/bundle.sh DIR [TOOLKIT]
#
# Builds `toalign` and the GPU's tests with --features cudnn and packs them with the golden cases and the scripts into
# DIR/toalign-gpu.tar.xz, at most 60 MB. candle's kernels are PTX for compute capability 9.0, which every newer GPU compiles
# for itself (CUDA_COMPUTE_CAP=80: for every one since Ampere; so built, not yet run); ours are compiled there, for the GPU
# at hand. The toolkit goes into TOOLKIT (2.5 GB; DIR/toolkit unless given). Proves what can be proved without a GPU: it
# starts, finds none, and says so.
#
# There: tar xf toalign-gpu.tar.xz && toalign-gpu/run.sh
set -euo pipefail
repository="$(cd "$(dirname "$0")/../.." && pwd)"
[ $# -ge 1 ] || { echo "error: expected a folder, as in tests/gpu/bundle.sh ../gpu" >&2; exit 1; }
mkdir -p "$1" "${2:-$1/toolkit}"
folder="$(cd "$1" && pwd)"
toolkit="$(cd "${2:-$1/toolkit}" && pwd)"
case "$folder/" in
"$repository"/*)
    git -C "$repository" check-ignore -q "$folder" || {
        echo "error: expected a folder outside the repository, or one that git ignores, found $folder" >&2
        exit 1
    }
    ;;
esac

cd "$repository"
# shellcheck source=tests/gpu/toolkit.sh
source tests/gpu/toolkit.sh
toolkit "$toolkit"
# The program is built beside its test.
tests="$(cargo test --release --features cudnn --test cuda --no-run --message-format json |
    sed -nE 's/.*"name":"cuda".*"executable":"([^"]+)".*/\1/p' | tail -1)"

bundle="$folder/toalign-gpu"
rm -rf "$bundle"
mkdir -p "$bundle/driver"
target="$(cargo metadata --format-version 1 --no-deps | sed -nE 's/.*"target_directory":"([^"]+)".*/\1/p')"
install -s "$target/release/toalign" "$bundle/toalign"
install -s "$tests" "$bundle/cuda-tests"
cp -r tests/golden "$bundle/golden"
cp tests/gpu/run.sh tests/gpu/table.py tests/gpu/libraries.sh tests/bench/torch_step.py tests/bench/make_pictures.py "$bundle"
cp "$toolkit/driver/libcuda.so.1" "$bundle/driver"
tar -C "$folder" -cf - toalign-gpu | xz -T0 -6 >"$folder/toalign-gpu.tar.xz"

bytes="$(stat -c %s "$folder/toalign-gpu.tar.xz")"
[ "$bytes" -le $((60 << 20)) ] || { echo "error: expected at most 60 MB, found $bytes bytes" >&2; exit 1; }
"$bundle/libraries.sh" "$toolkit"/venv/lib/python3*/site-packages/nvidia
# On a machine without a driver the stand-in answers: no device.
said="$(LD_LIBRARY_PATH="$("$bundle/libraries.sh" --path "$toolkit"/venv/lib/python3*/site-packages/nvidia)" \
    "$bundle/toalign" bench --device cuda --steps 1 2>&1 || true)"
case "$said" in
*"expected an NVIDIA GPU number 0"*) echo "starts, and says: $said" ;;
*)
    echo "error: expected the message that there is no GPU, found: $said" >&2
    exit 1
    ;;
esac
echo "$folder/toalign-gpu.tar.xz: $((bytes >> 20)) MB"
