#!/usr/bin/env bash
# Type-checks the CUDA builds (features `cuda` and `cudnn`, all targets) on a machine without a GPU.
#
#   tests/check_cuda.sh [FOLDER]
#
# The CUDA toolkit comes from NVIDIA's Python packages into a virtual environment in FOLDER (about 2.5 GB; kept there for the
# next time), or in a temporary folder that is removed at the end. The first check compiles candle's kernels: about 8
# minutes of one core. Nothing is linked, so nothing can be run: that takes a GPU (see the README).
set -euo pipefail
repository="$(cd "$(dirname "$0")/.." && pwd)"

if [ $# -ge 1 ]; then
    mkdir -p "$1"
    folder="$(cd "$1" && pwd)"
else
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
case "$folder/" in
"$repository"/*)
    echo "error: expected a folder outside the repository, found $folder" >&2
    exit 1
    ;;
esac

toolkit() { echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13; }
if [ ! -x "$(toolkit)/bin/nvcc" ]; then
    python3 -m venv "$folder/venv"
    # The compiler's parts must be of one version; the headers of the libraries may be newer.
    "$folder/venv/bin/pip" install --quiet \
        nvidia-cuda-nvcc==13.2.86 nvidia-cuda-crt==13.2.86 nvidia-nvvm==13.2.86 \
        nvidia-cuda-runtime==13.2.86 nvidia-cuda-cccl==13.2.86 \
        nvidia-cublas nvidia-curand nvidia-cudnn-cu13
fi

CUDA_HOME="$(toolkit)"
export CUDA_HOME CUDA_PATH="$CUDA_HOME" PATH="$CUDA_HOME/bin:$PATH"
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}" # without a GPU nobody can be asked; 90 is Hopper
cd "$repository"
for feature in cuda cudnn; do
    echo "cargo check --all-targets --features $feature"
    cargo check --all-targets --features "$feature"
done
echo "both CUDA builds type-check; they have not been run"
