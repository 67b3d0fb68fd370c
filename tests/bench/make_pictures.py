#!/usr/bin/env python3
"""Makes photo-like JPEGs of about 500×400 pixels, the same ones for the same seed.

    python make_pictures.py FOLDER [--count 1000] [--seed 0]

Each has a gradient as its ground, a few shapes with hard edges, and noise in octaves (strong where it is coarse,
weak where it is fine: the spectrum of a photo). Quality 90 with 4:2:0 chroma, the usual setting of cameras and web
sites, makes about 2 bits a pixel of it, as of a photo. Needs Pillow and NumPy; prints the number of files and bytes.
"""
import argparse
import json
from pathlib import Path

import numpy
from PIL import Image, ImageDraw

OCTAVES = 7                 # from 64 pixels a grain down to 1
FINEST = 3.0                # standard deviation of the finest noise, in steps of 8 bits


def ground(random, width, height):
    """A gradient in a random direction between two random colours: float array `[height, width, 3]`."""
    across, down = numpy.meshgrid(numpy.linspace(-1, 1, width), numpy.linspace(-1, 1, height))
    angle = random.uniform(0, 2 * numpy.pi)
    place = (across * numpy.cos(angle) + down * numpy.sin(angle) + 1.5) / 3
    first, second = random.uniform(30, 225, (2, 3))
    return first + place[..., None] * (second - first)


def shapes(random, picture):
    """Five to twelve ellipses, rectangles and lines."""
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(5, 13)):
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        centre = random.uniform(0, 1, 2) * picture.size
        reach = random.uniform(0.04, 0.3, 2) * picture.size
        box = [*(centre - reach), *(centre + reach)]
        kind = random.integers(0, 3)
        if kind == 0:
            draw.ellipse(box, fill=colour)
        elif kind == 1:
            draw.rectangle(box, fill=colour)
        else:
            draw.line(box, fill=colour, width=int(random.integers(1, 12)))


def noise(random, width, height):
    """Octaves of noise, each half as strong as the one that is twice as coarse: float array `[height, width, 3]`.

    Mostly brightness, a quarter of it colour.
    """
    total = numpy.zeros((height, width, 3))
    for octave in range(OCTAVES):
        grain = 2**octave
        strength = FINEST * 1.4**octave
        size = (-(-width // grain) + 1, -(-height // grain) + 1)
        for channel, part in [(None, 1.0), (0, 0.25), (1, 0.25), (2, 0.25)]:
            field = Image.fromarray(random.normal(0, strength * part, size[::-1]).astype(numpy.float32))
            field = numpy.asarray(field.resize((width, height), Image.Resampling.BICUBIC))
            if channel is None:
                total += field[..., None]
            else:
                total[..., channel] += field
    return total


def make(folder, count, seed):
    """Writes `count` files into `folder`; returns how many bytes they have together."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for number in range(count):
        random = numpy.random.default_rng([seed, number])
        width, height = int(random.integers(440, 561)), int(random.integers(340, 461))
        picture = Image.fromarray(ground(random, width, height).astype(numpy.uint8))
        shapes(random, picture)
        values = numpy.asarray(picture) + noise(random, width, height)
        picture = Image.fromarray(values.clip(0, 255).astype(numpy.uint8))
        file = folder / f"{number:05}.jpg"
        picture.save(file, quality=90, subsampling="4:2:0")
        total += file.stat().st_size
    return total


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=0)
    chosen = arguments.parse_args()
    total = make(chosen.folder, chosen.count, chosen.seed)
    print(json.dumps({"pictures": chosen.count, "bytes": total}))


if __name__ == "__main__":
    main()
