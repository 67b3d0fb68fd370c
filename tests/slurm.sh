#!/bin/bash
# A sweep under a real Slurm: `tests/slurm.sh [PROGRAM]`, by default target/release/toalign.
#
# Starts munge, slurmctld and slurmd on this machine alone, in a temporary folder, and submits the script that
# `toalign sweep --slurm` writes. Of its four runs one is killed, one is put back into the queue, and one gets the
# signal that comes before the end of its time. Afterwards every checkpoint has to equal that of a direct sweep, bit for
# bit. Needs Debian's packages slurm-wlm and munge; `tests/slurm.sh --install` installs them (as root).
set -euo pipefail

if [ "${1:-}" = --install ]; then
    apt-get install -y slurm-wlm munge
    exit
fi
PATH=$PATH:/usr/sbin:/sbin
for command in munged mungekey slurmctld slurmd sbatch scontrol squeue scancel; do
    if ! command -v "$command" > /dev/null; then
        echo "$command is not here: install the packages slurm-wlm and munge, or let '$0 --install' do it" >&2
        exit 2
    fi
done
here=$(realpath "$(dirname "$0")")
program=$(realpath "${1:-$here/../target/release/toalign}")
[ -x "$program" ] || { echo "no program $program: build it with cargo build --release, or name another" >&2; exit 2; }

host=$(hostname -s)
# A blank and an apostrophe in every path.
work=$(mktemp -d "${TMPDIR:-/tmp}/toalign-slurm-XXXXXX")
place="$work/it's here"
mkdir -p "$place" "$work/state" "$work/spool"
chmod 755 "$work"
daemons=()

finish() {
    local status=$?
    scancel --full --user="$(id -un)" 2> /dev/null || true
    for daemon in "${daemons[@]}"; do kill "$daemon" 2> /dev/null || true; done
    wait 2> /dev/null || true
    if [ $status -ne 0 ]; then
        echo "failed; what was said is in $work" >&2
    else
        rm -rf "$work"
    fi
}
trap finish EXIT

mungekey --create --keyfile="$work/munge.key"
cat > "$work/slurm.conf" << CONFIGURATION
ClusterName=toalign
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((20000 + RANDOM % 10000))
SlurmdPort=$((30000 + RANDOM % 2000))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=here Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONFIGURATION
export SLURM_CONF="$work/slurm.conf"

munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
    --log-file="$work/munge.log" --seed-file="$work/munge.seed" > "$work/munged.txt" 2>&1 &
daemons+=($!)
sleep 1
slurmctld -D -i > "$work/slurmctld.txt" 2>&1 &
daemons+=($!)
sleep 1
slurmd -D -N "$host" > "$work/slurmd.txt" 2>&1 &
daemons+=($!)

# until TRUE WHAT COMMAND: waits up to five minutes.
await() {
    local what=$1
    shift
    for _ in $(seq 600); do
        if "$@" > /dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "waited five minutes for $what" >&2
    squeue >&2 || true
    exit 1
}
idle() { sinfo --noheader --format=%T | grep -q idle; }
over() { [ -z "$(squeue --noheader --job="$1" 2> /dev/null)" ]; }
await "a node that is ready" idle

cd "$place"
# A few pictures of every kind, as two domains of two classes.
for folder in {First,Second}/{one,two}; do
    mkdir -p "pictures/$folder"
    cp "$here"/pictures/{alpha,grey,rgb_16,palette}.png "$here"/pictures/baseline.jpg "pictures/$folder"
done
sweep=(sweep --preset mini --data "folder:pictures" --tasks First-Second --methods "source-only,dannp+toalign" --seeds 1,2
    --weights none --batch-size 2 --resize 16 --pad 0 --crop 16 --discriminator-hidden 16
    --steps "${STEPS:-2000}" --test-every 500 --log-every 50 --checkpoint-every 2)
echo "a direct sweep of four runs"
"$program" "${sweep[@]}" --out direct 2> "$work/direct.txt"

"$program" "${sweep[@]}" --out runs --slurm sweep.sbatch --gpus 0 --cpus-per-task 1 --time 30
job=$(sbatch --parsable sweep.sbatch)
run() { echo runs/pictures/*/"$1"; }
begun() { ls $(run "$1")/last.safetensors; }

await "the runs' first checkpoints" begun source-only/1
scancel --signal=KILL --full "${job}_0"
await "the runs' first checkpoints" begun dannp+toalign/1
scontrol requeue "${job}_1"
await "the runs' first checkpoints" begun dannp+toalign/2
scancel --signal=USR1 --batch "${job}_3"
echo "index 0 killed, 1 put back into the queue, 3 told that its time is nearly over"
await "the array job" over "$job"

resumed() { grep -q "resumed after" "$(run "$1")/log.txt"; }
for name in dannp+toalign/1 dannp+toalign/2; do
    resumed "$name" || { echo "$name was not resumed by the queue" >&2; exit 1; }
done
resumed source-only/1 && { echo "source-only/1 was not to be resumed yet" >&2; exit 1; }

echo "the same script again, for what is left"
again=$(sbatch --parsable sweep.sbatch)
await "the second array job" over "$again"
resumed source-only/1 || { echo "source-only/1 was not resumed" >&2; exit 1; }
for index in 1 2 3; do
    grep -q "1 run in runs: 1 finished before" "runs/slurm/toalign-${again}_$index.log" ||
        { echo "index $index was not left alone the second time" >&2; exit 1; }
done

files=0
while IFS= read -r file; do
    cmp "direct/$file" "runs/$file"
    files=$((files + 1))
done < <(cd direct && find . -name '*.safetensors')
[ "$files" -eq 8 ] || { echo "expected 8 checkpoints, found $files" >&2; exit 1; }
echo "all $files checkpoints equal those of the direct sweep, bit for bit"
