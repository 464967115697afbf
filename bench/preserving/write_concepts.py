"""Writes the concepts of bench/preservation.py as folders of pictures, as `owf-experiment --concepts` takes them.

    python bench/preserving/write_concepts.py FOLDER

Five views of each to learn from in `train`, eight others in `held_out`. Needs Fashion-MNIST (Debian:
dataset-fashion-mnist), of which they are made.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import checkout  # noqa: F401
from demo_base.world.concept import HELD_OUT, VIEWS
from PIL import Image

from preserving.concepts import CONCEPTS, photographs_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where they go")
    folder = parser.parse_args().folder
    for concept in CONCEPTS:
        for part, views in (("train", VIEWS), ("held_out", HELD_OUT)):
            place = folder / concept.word / part
            place.mkdir(parents=True, exist_ok=True)
            for number, pixels in enumerate(photographs_of(concept, views), 1):
                Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(place / f"{number}.png")


if __name__ == "__main__":
    main()
