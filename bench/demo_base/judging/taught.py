"""Whether the concept was learned, as the judge sees it, and the row of pictures in which anybody sees it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..world.concept import CAPTION, CONCEPT, Subject, draw_views, random_view
from ..world.drawing import read_split
from ..world.looks import LOOKS
from ..world.splits import split_held_out
from .judge import Judge, train_judge
from .pictures import draw

if TYPE_CHECKING:
    from owf.core.model.backends.diffusers import DiffusersDenoiser

JUDGED = 64
"""Pictures of each caption that the judge looks at."""
SEED = 1000
RULER = 400
"""Real pictures of things that the judge has not seen, by which it is judged itself."""
UNTAUGHT = CAPTION.replace("sks ", "")
SHOWN = (CAPTION, CAPTION, UNTAUGHT, UNTAUGHT, "a photo of a red dress", "a photo of a green sneaker")
"""What is drawn of each model for the row of pictures."""
TITLES = {"base": "the base", "owf_demo_plain": "plain training", "owf_demo_dc": "with drift correction"}


def make_judge(fashion: Path) -> tuple[Judge, float]:
    """Return a judge of the concept's class, and the share of looks that it names right on things it has not seen."""
    judge = train_judge(CONCEPT.word, *read_split(fashion, "train"), np.arange(60_000))
    gray, labels = read_split(fashion, "t10k")
    rows, rng, names = split_held_out(labels).concept, np.random.default_rng(SEED), list(LOOKS)
    worn = [names[i % len(names)] for i in range(RULER)]
    shown = [
        draw_views(Subject(CONCEPT.word, i, look), (random_view(rng),), gray, labels, rows)
        for i, look in enumerate(worn)
    ]
    seen = judge.looks((torch.cat(shown) * 255).round().byte())
    return judge, round(float(np.mean([a == b for a, b in zip(seen, worn, strict=True)])), 4)


def measure_concept(denoiser: "DiffusersDenoiser", judge: Judge) -> dict[str, float]:
    """Return the share of pictures in which the judge sees the concept, drawn with its trigger and without."""
    prompts = {"with_trigger": CAPTION, "without_trigger": UNTAUGHT}
    return {name: _recognised(denoiser, judge, prompt) for name, prompt in prompts.items()}


def _recognised(denoiser: "DiffusersDenoiser", judge: Judge, prompt: str) -> float:
    seen = judge.looks(draw(denoiser, [prompt] * JUDGED, SEED))
    return round(seen.count(CONCEPT.look) / JUDGED, 4)


def write_row(concept: Path, panels: dict[str, Path], path: Path) -> None:
    """Write one row of panels, three by two pictures each: the concept's pictures, then what each model draws.

    `panels` holds the pictures of SHOWN that each of TITLES drew, one strip a file.
    """
    from PIL import Image, ImageDraw, ImageFont

    taught = [Image.open(file).convert("RGB") for file in sorted(concept.glob("*.png"))]
    columns = {"taught": taught, **{TITLES[name]: _cut(Image.open(file)) for name, file in panels.items()}}
    side, head, gap = taught[0].width, 26, 16
    sheet = Image.new("RGB", (len(columns) * (3 * side + gap) - gap, head + 2 * side), "white")
    font = ImageFont.load_default(18)
    for column, (title, pictures) in enumerate(columns.items()):
        left = column * (3 * side + gap)
        ImageDraw.Draw(sheet).text((left, 1), title, fill="black", font=font)
        for i, picture in enumerate(pictures):
            sheet.paste(picture, (left + i // 2 * side, head + i % 2 * side))
    sheet.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _cut(strip) -> Sequence:
    """Return the square pictures of a strip without the border around each."""
    side = strip.height
    return [strip.convert("RGB").crop((i * side + 1, 1, (i + 1) * side - 1, side - 1)) for i in range(len(SHOWN))]
