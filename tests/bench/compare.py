#!/usr/bin/env python3
"""Compares `toalign bench` with PyTorch, torchvision, Pillow and pytorch-grad-cam on this machine and prints a table in
Markdown.

    python3 compare.py --python VENV/bin/python --toalign target/release/toalign [--rounds 5] [--steps 5] [--threads 2]
                       [ROW ...]

--python names an interpreter that has torch, torchvision, numpy, pillow and grad-cam; this script itself needs Python
3.10 or newer and nothing else. ROW chooses among step-8, step-16, small, evaluation, pictures and maps; without one, all.

In each round ours and the peers run one after the other, each in a process of its own, so that a machine that is
busy for a while is busy for all of them. The table shows medians over the rounds, (smallest–largest), and what ours
divided by the peer's has to reach. The exit status is 1 if a ratio misses what it must reach.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEEDED = ["torch", "torchvision", "numpy", "PIL", "pytorch_grad_cam"]
EXPERIMENTS = ["step-8", "step-16", "small", "evaluation", "pictures", "maps"]
MAPS = ["grad-cam", "grad-cam++-epsilon", "hires-cam", "layer-cam", "x-grad-cam", "element-wise", "eigen-cam",
        "eigen-grad-cam", "guided-backpropagation", "guided-grad-cam"]


@dataclass
class Row:
    """One line of the table: a number of ours against one of a peer's."""

    name: str
    unit: str
    ours: str               # key in our JSON
    peers: list[str]        # of these peers, the one with the best median
    theirs: str             # key in the peer's JSON
    must: float
    aim: float
    more_is_better: bool = False
    digits: int = 3


@dataclass
class Experiment:
    """What runs in each round, and the rows that are read off it."""

    ours: list[str]
    peers: dict[str, list[str]]
    rows: list[Row]


def experiment(name, chosen, folder):
    """The experiment `name`; the pictures' has its files in `folder`."""
    ours = [chosen.toalign, "bench", "--json"]
    steps = ["--steps", str(chosen.steps)]
    step = [chosen.python, str(HERE / "torch_step.py"), "--threads", str(chosen.threads)]

    def variant(name):
        return [*step, "--variant", name]

    if name in ("step-8", "step-16"):
        batch = name.removeprefix("step-")
        size = ["--batch", batch, *steps]
        peers = {key: [*variant(key), *size] for key in ("reference", "channels-last")}
        what, seconds = f"step, ResNet-50, {batch}+{batch}", "seconds_per_step"
        return Experiment([*ours, *size], peers, [
            Row(what, "s", seconds, ["reference"], seconds, 0.60, 0.40),
            Row(what, "s", seconds, ["channels-last"], seconds, 1.05, 0.70),
            Row(f"peak memory, {batch}+{batch}", "MB", "peak_mb", ["reference"], "peak_mb", 0.60, 0.40, digits=0),
        ])
    if name == "small":
        # A step takes milliseconds: more of them for a median that holds.
        many = ["--steps", str(20 * chosen.steps)]
        shape = ["--backbone", "small", "--image", "40", "--batch", "32", "--classes", "12"]
        peers = {key: [*variant(key), "--network", "small", *many] for key in ("one-pass", "channels-last")}
        seconds = "seconds_per_step"
        row = Row("step, small network, 32+32", "s", seconds, list(peers), seconds, 1.00, 0.50, digits=4)
        return Experiment([*ours, *shape, *many], peers, [row])
    if name == "evaluation":
        peers = {"channels-last": [*variant("channels-last"), "--evaluate", "--batch", "36", *steps]}
        row = Row("test, ResNet-50, batch 36", "s per picture", "test_seconds_per_image", ["channels-last"],
                  "seconds_per_image", 1.00, 0.70, digits=4)
        return Experiment([*ours, "--batch", "2", "--steps", "1"], peers, [row])
    if name == "maps":
        peer = "pytorch-grad-cam"
        threads = ["--threads", str(chosen.threads)]
        rows = [Row(f"{kind}, ResNet-50, 224", "s", kind, [peer], kind, 1.00, 0.50) for kind in MAPS]
        return Experiment([*ours, "--maps", *steps], {peer: [chosen.python, str(HERE / "torch_maps.py"), *steps, *threads]}, rows)
    peer = "torchvision + Pillow"
    rows = [
        Row(f"input pipeline, {clock}", unit, key, [peer], theirs, 2.0, 4.0, more_is_better=True, digits=0)
        for clock, unit, key, theirs in [
            ("wall clock", "pictures/s per core", "pictures_per_second_per_core", "pictures_per_second"),
            ("processor time", "pictures/s", "pictures_per_cpu_second", "pictures_per_cpu_second"),
        ]
    ]
    peers = {peer: [chosen.python, str(HERE / "torch_pictures.py"), folder]}
    return Experiment([*ours, "--pictures", folder, "--threads", "1"], peers, rows)


def run(command, threads):
    """Runs `command` and returns the JSON of its last line."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.exit(f"error: expected one line of JSON from {' '.join(command)}, found exit status {done.returncode}:\n"
                 f"{done.stderr.strip()}")
    result = json.loads(lines[-1])
    # The maps' are pairs of a name and its seconds.
    return {**result, **dict(result.get("seconds", []))}


def measure(name, chosen, folder):
    """Yields the rows of one experiment as (row, peer, ours, theirs), the last two as lists over the rounds."""
    this = experiment(name, chosen, folder)
    ours, theirs = [], {peer: [] for peer in this.peers}
    for number in range(chosen.rounds):
        print(f"{name}: round {number + 1} of {chosen.rounds}", file=sys.stderr)
        ours.append(run(this.ours, chosen.threads))
        for peer, command in this.peers.items():
            theirs[peer].append(run(command, chosen.threads))
    for row in this.rows:
        best = max if row.more_is_better else min
        values = {peer: [result[row.theirs] for result in theirs[peer]] for peer in row.peers}
        peer = best(values, key=lambda peer: statistics.median(values[peer]))
        own = [result[row.ours] for result in ours]
        if None in own:
            print(f"{row.name}: left out, this system does not tell {row.ours}", file=sys.stderr)
            continue
        yield row, peer, own, values[peer]


def line(row, peer, ours, theirs):
    """One line of the table, and whether it reaches what it must."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    sign = "≥" if row.more_is_better else "≤"

    def show(values):
        median, least, most = (f"{value:.{row.digits}f}" for value in
                               (statistics.median(values), min(values), max(values)))
        return f"{median} ({least}–{most})"

    def reached(goal):
        return ratio >= goal if row.more_is_better else ratio <= goal

    verdict = "aim reached" if reached(row.aim) else "reached" if reached(row.must) else "**missed**"
    cells = [f"{row.name} ({row.unit})", show(ours), peer, show(theirs), f"{ratio:.2f}",
             f"{sign} {row.must:.2f}", f"{sign} {row.aim:.2f}", verdict]
    return f"| {' | '.join(cells)} |", reached(row.must)


def check(chosen):
    """Stops with what to do if a program or a package is not there."""
    if chosen.rounds < 1 or chosen.steps < 1 or chosen.threads < 1:
        sys.exit("error: expected --rounds, --steps and --threads of at least 1")
    chosen.toalign, chosen.python = (os.path.abspath(path) for path in (chosen.toalign, chosen.python))
    if not os.access(chosen.toalign, os.X_OK):
        sys.exit(f"error: --toalign: expected a program, found none at {chosen.toalign}\n"
                 "  what to do: cargo build --release, then --toalign target/release/toalign")
    if not os.access(chosen.python, os.X_OK):
        sys.exit(f"error: --python: expected an interpreter, found none at {chosen.python}\n"
                 "  what to do: python3 -m venv VENV && VENV/bin/pip install torch torchvision pillow grad-cam")
    asked = subprocess.run([chosen.python, "-c", f"import {', '.join(NEEDED)}"], capture_output=True, text=True)
    if asked.returncode:
        sys.exit(f"error: --python: expected {', '.join(NEEDED)} in {chosen.python}, found\n{asked.stderr.strip()}\n"
                 f"  what to do: {chosen.python} -m pip install torch torchvision pillow grad-cam")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(EXPERIMENTS)}; without one, all")
    arguments.add_argument("--python", required=True, help="an interpreter that has torch and torchvision")
    arguments.add_argument("--toalign", required=True, help="the built program")
    arguments.add_argument("--rounds", type=int, default=5, help="how often each runs [5]")
    arguments.add_argument("--steps", type=int, default=5, help="steps in each run [5]")
    arguments.add_argument("--threads", type=int, default=2, help="threads of both, except for the pictures [2]")
    arguments.add_argument("--pictures", type=int, default=1000, help="JPEGs to make for the input pipeline [1000]")
    chosen = arguments.parse_args()
    unknown = [row for row in chosen.rows if row not in EXPERIMENTS]
    if unknown:
        arguments.error(f"expected rows of {', '.join(EXPERIMENTS)}, found {', '.join(unknown)}")
    check(chosen)
    table, all_reached = [], True
    with tempfile.TemporaryDirectory(prefix="toalign-pictures-") as folder:
        names = [name for name in EXPERIMENTS if name in (chosen.rows or EXPERIMENTS)]
        if "pictures" in names:
            print(f"making {chosen.pictures} pictures", file=sys.stderr)
            count = ["--count", str(chosen.pictures)]
            run([chosen.python, str(HERE / "make_pictures.py"), folder, *count], chosen.threads)
        for name in names:
            for measured in measure(name, chosen, folder):
                text, reached = line(*measured)
                table.append(text)
                all_reached &= reached
    print("| what | ours | peer | peer's | ours / peer | must | aim | |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |")
    print("\n".join(table))
    sys.exit(0 if all_reached else 1)


if __name__ == "__main__":
    main()
