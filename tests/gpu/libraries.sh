#!/usr/bin/env bash
# Names NVIDIA's libraries that the program loads, and where each is found here.
#
#   libraries.sh [FOLDER …]         a table; exit code 1 if one is missing
#   libraries.sh --path [FOLDER …]  only what LD_LIBRARY_PATH should be
#
# Looked through: FOLDER and the folders below it, the nvidia folders beside PyTorch (so that both are measured with the same
# libraries), LD_LIBRARY_PATH, the system's own folders, and /usr/local/cuda*.
set -euo pipefail
only_path=no
if [ "${1:-}" = --path ]; then
    only_path=yes
    shift
fi
here="$(cd "$(dirname "$0")" && pwd)"
needed=(libcuda.so.1 libcudart.so.13 libcublas.so.13 libcublasLt.so.13 libcurand.so.10 libnvrtc.so.13 libcudnn.so.9)
versions=("driver R580 or newer" "CUDA 13" "CUDA 13" "CUDA 13" "CUDA 12 or 13" "CUDA 13" "cuDNN 9")

folders=()
for folder in "$@"; do folders+=("$folder" "$folder"/*/lib "$folder"/*/lib64); done
# Not by importing torch, which takes seconds.
for site in $(python3 -c 'import sys; print(*(p for p in sys.path if p.endswith("-packages")))' 2>/dev/null || true); do
    folders+=("$site"/nvidia/*/lib)
done
IFS=: read -ra given <<<"${LD_LIBRARY_PATH:-}"
folders+=("${given[@]}" /usr/local/nvidia/lib64 /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib)
folders+=(/usr/local/cuda*/lib64 /usr/local/cuda*/targets/x86_64-linux/lib)
folders+=("$here/driver") # the stand-in, where there is no driver

missing=0
path=""
for number in "${!needed[@]}"; do
    found=""
    for folder in "${folders[@]}"; do
        [ -n "$folder" ] && [ -e "$folder/${needed[$number]}" ] && { found="$folder"; break; }
    done
    [ -n "$found" ] || missing=1
    case ":$path:" in *":$found:"*) ;; *) path="$path${path:+:}$found" ;; esac
    [ $only_path = yes ] || printf '%-18s %-22s %s\n' "${needed[$number]}" "${versions[$number]}" "${found:-MISSING}"
done
[ $only_path = no ] || echo "$path"
[ $only_path = yes ] || exit $missing
