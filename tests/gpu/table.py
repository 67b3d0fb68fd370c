#!/usr/bin/env python3
"""The figures of run.sh beside each other: ours, PyTorch's on the same card, and what each ratio has to reach.

    python table.py RESULTS
"""
import json
import sys
from pathlib import Path

MUST = {("channels-last", "f32"): (1.0, 0.7), ("tf32", "tf32"): (1.0, 0.8), ("bf16", "bf16"): (1.0, 0.8)}
PUBLISHED_SECONDS, PUBLISHED_MB = 0.590, 6668


def lines(path):
    """Every line of the file that is a JSON object."""
    try:
        text = path.read_text()
    except OSError:
        return []
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def main():
    folder = Path(sys.argv[1])
    ours = {(line["method"], line["precision"]): line for line in lines(folder / "bench.jsonl")}
    peers = {line["variant"]: line for line in lines(folder / "peer.jsonl")}
    for line in peers.values():
        print(f"PyTorch on {line['device']}, {line['peer']}")
        break
    print(f"{'HDA+ToAlign, 36+36 of 224²':34} {'ours':>10} {'PyTorch':>10} {'ratio':>7} {'must':>6} {'aim':>6}")
    for variant, precision in [("reference", "f32"), *MUST]:
        mine, peer = ours.get(("hda+toalign", precision)), peers.get(variant)
        if not mine or not peer:
            continue
        must, aim = MUST.get((variant, precision), ("", ""))
        second, other = mine["seconds_per_step"], peer["seconds_per_step"]
        print(f"{'step, ' + precision + ' / ' + variant:34} {1e3 * second:7.1f} ms {1e3 * other:7.1f} ms "
              f"{second / other:7.2f} {must:>6} {aim:>6}")
        memory, other = mine["device_peak_mb"], peer["device_peak_mb"]
        print(f"{'memory, ' + precision + ' / ' + variant:34} {memory:7.0f} MB {other:7.0f} MB "
              f"{memory / other:7.2f} {0.8:>6} {0.5:>6}")
    for (method, precision), line in ours.items():
        against = ""
        if (method, precision) == ("dannp+toalign", "f32"):
            against = f", published {1e3 * PUBLISHED_SECONDS:.0f} ms and {PUBLISHED_MB} MB"
        print(f"{method}, {precision}: {1e3 * line['seconds_per_step']:.1f} ms, {line['device_peak_mb']:.0f} MB{against}")
    curves = [[line["losses"] for line in lines(folder / f"curves-{device}.jsonl") if "losses" in line]
              for device in ("cpu", "cuda")]
    for name in ("classification", "alignment", "heuristic", "total"):
        if all(curves):
            cpu, gpu = ([losses[name] for losses in curve] for curve in curves)
            apart = sum(abs(a - b) for a, b in zip(cpu, gpu)) / sum(map(abs, cpu))
            print(f"a small run on GPU and CPU, loss {name}: {100 * apart:.1f} % apart on average over {len(cpu)} windows")
    for line in lines(folder / "pictures.jsonl"):
        alone = ours.get((line["method"], line["precision"]))
        if alone:
            busy = alone["seconds_per_step"] / line["seconds_per_step"]
            print(f"from pictures on disk, {line['precision']}: {1e3 * line['seconds_per_step']:.1f} ms a step, "
                  f"the GPU is busy for {100 * busy:.0f} % of it (must: 90)")


if __name__ == "__main__":
    main()
