#!/usr/bin/env python3
"""Pictures per second of torchvision and Pillow on one core: the input pipeline to measure against.

    python torch_pictures.py FOLDER [--threads 1] [--rounds 1]

Every JPEG under FOLDER goes through what the published code does with a training picture: open and decode
(Pillow), RGB, resize to 256×256, random crop of 224, random flip, tensor, normalise. One process.
Prints one JSON line: pictures, their rate by the wall clock and by the processor's clock (pictures per second of
this process's own time, which other processes do not lengthen).
"""
import argparse
import json
import time
from pathlib import Path

import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=1)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    prepare = transforms.Compose([
        transforms.Resize((256, 256)),
        transforms.RandomCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    files = sorted(chosen.folder.rglob("*.jpg"))
    if not files:
        raise SystemExit(f"expected *.jpg files in {chosen.folder}, found none")

    def load(file):
        with open(file, "rb") as opened:
            return prepare(Image.open(opened).convert("RGB"))

    for file in files[:72]:                                                # warm up
        load(file)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(chosen.rounds):
        for file in files:
            load(file)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    count = chosen.rounds * len(files)
    print(json.dumps({
        "peer": f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}",
        "pictures": count,
        "threads": chosen.threads,
        "pictures_per_second": round(count / wall, 2),
        "pictures_per_cpu_second": round(count / processor, 2),
    }))


if __name__ == "__main__":
    main()
