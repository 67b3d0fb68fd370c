#!/usr/bin/env bash
# Verifies and measures the library on this machine's GPU, in one go (three minutes on an H200): tests against the golden cases
# and the CPU, steps beside PyTorch's, a profile, a run from pictures on disk. Writes as it goes.
#
#   run.sh [RESULTS]      everything goes into RESULTS (results beside this file), the table last
#   PARTS="bench profile" run.sh
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
results="${1:-$here/results}"
parts="${PARTS:-machine tests curves bench peer profile pictures}"
mkdir -p "$results"
started=$SECONDS
LD_LIBRARY_PATH="$("$here/libraries.sh" --path)"
export LD_LIBRARY_PATH TOALIGN_GOLDEN="$here/golden" TOALIGN_REQUIRE_CUDA=1
steps="${STEPS:-20}"

part() { echo "== $1 (after $((SECONDS - started)) s)"; }
wants() { case " $parts " in *" $1 "*) part "$1" ;; *) return 1 ;; esac; }
# At most so many seconds, so that nothing that hangs takes the rest with it.
limited() { timeout -k 5 "$1" "${@:2}"; }

if wants machine; then
    {
        nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
        lscpu | grep 'Model name'
        nproc
        "$here/libraries.sh"
    } 2>&1 | tee "$results/machine.txt"
fi
if wants tests; then
    limited 150 "$here/cuda-tests" --nocapture --test-threads 1 2>&1 | tee "$results/tests.txt" | grep -vE '^$' | tail -40
fi
if wants curves; then
    # The same small run on both, ended early: chance takes them apart from the third step on, the losses stay beside each other.
    for device in cpu cuda; do
        limited 60 "$here/toalign" train --preset mini --method hda --toalign --steps 200 --test-every 200 --log-every 10 \
            --device $device --out "$results/curves-$device" 2>&1 | tail -1
        mv "$results/curves-$device"/*/*/*/*/metrics.jsonl "$results/curves-$device.jsonl"
        rm -r "$results/curves-$device"
    done
fi
if wants bench; then
    for precision in f32 tf32 bf16; do
        limited 40 "$here/toalign" bench --device cuda --batch 36 --method hda --precision $precision --steps "$steps" --json
    done 2>&1 | tee "$results/bench.jsonl"
    for method in "dannp false" "dannp true" "hda false"; do
        read -r name toalign <<<"$method"
        limited 40 "$here/toalign" bench --device cuda --batch 36 --method "$name" --toalign "$toalign" --steps "$steps" --json
    done 2>&1 | tee -a "$results/bench.jsonl"
fi
if wants peer; then
    for variant in reference channels-last tf32 bf16; do
        limited 60 python3 "$here/torch_step.py" --device cuda --variant $variant --batch 36 --steps "$steps"
    done 2>&1 | tee "$results/peer.jsonl"
fi
if wants profile; then
    for precision in f32 tf32 bf16; do
        limited 40 "$here/toalign" bench --device cuda --batch 36 --method hda --precision $precision --steps 5 --profile
    done 2>&1 | tee "$results/profile.txt"
fi
if wants pictures; then
    pictures="$(mktemp -d)"
    # As many pictures as a domain of Office-Home has, 40 of 65 classes: 96 photo-like ones, each in several classes.
    python3 "$here/make_pictures.py" "$pictures/all" --count 96
    for domain in Art Clipart; do
        for number in {0..2599}; do
            class="$pictures/$domain/class $((number % 65))"
            mkdir -p "$class"
            ln "$(printf '%s/all/%05d.jpg' "$pictures" $((number * 7 % 96)))" "$class/$number.jpg"
        done
    done
    rm -r "$pictures/all"
    for precision in f32 tf32; do
        limited 60 "$here/toalign" bench --device cuda --batch 36 --method hda --precision $precision --steps 100 --json \
            --data "folder:$pictures" --task Art-Clipart --workers 7
    done 2>&1 | tee "$results/pictures.jsonl"
    rm -rf "$pictures"
fi
part table
python3 "$here/table.py" "$results" | tee "$results/table.txt"
