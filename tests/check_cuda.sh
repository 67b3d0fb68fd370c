#!/usr/bin/env bash
# Type-checks the CUDA builds (features `cuda` and `cudnn`, all targets) on a machine without a GPU.
#
#   tests/check_cuda.sh [FOLDER]
#
# The toolkit goes into FOLDER (see tests/gpu/toolkit.sh), or into a temporary folder that is removed at the end. The first
# check compiles candle's kernels: about 8 minutes of one core.
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

cd "$repository"
# shellcheck source=tests/gpu/toolkit.sh
source tests/gpu/toolkit.sh
toolkit "$folder"
for feature in cuda cudnn; do
    echo "cargo check --all-targets --features $feature"
    cargo check --all-targets --features "$feature"
done
echo "both CUDA builds type-check"
