"""Image pairs for the report: the same prompt and noise, drawn by base and tuned."""

from pathlib import Path

import numpy as np

from ...metrics.evidence import Confirmed, Drawings
from ...plan.audit_plan import AuditPlan
from ...verdict.report import ImagePair
from .recorder import draw_seed

SHOWN = 24
"""Pairs that are written because they changed most."""
COMMON = 6
"""Pairs that every report of a plan shows, so that LoRAs can be compared by the same pictures."""


Pair = tuple[str, int, np.ndarray, np.ndarray, float]
"""Prompt, seed, pictures of base and tuned model, and by how much they differ."""


def write_pairs(
    folder: Path, plan: AuditPlan, drawings: Drawings | None, confirmed: Confirmed | None = None
) -> tuple[ImagePair, ...]:
    """Write the most changed pairs of drawings, a few fixed ones, and those of what was suspected, under folder/images.

    Return them, the most changed first; none where there are no drawings.
    """
    drawn = [] if drawings is None else _most_changed(plan, drawings)
    suspected = [] if confirmed is None else [(*pair, pixel_change(*pair[2:])) for pair in confirmed.pairs]
    ranked = sorted([*drawn, *suspected], key=lambda pair: -pair[4])
    if ranked:
        (folder / "images").mkdir(parents=True, exist_ok=True)
    return tuple(_write_pair(folder, rank, *pair) for rank, pair in enumerate(ranked))


def _most_changed(plan: AuditPlan, drawings: Drawings) -> list[Pair]:
    base, tuned = drawings.base, drawings.tuned
    changes = [pixel_change(a, b) for a, b in zip(base, tuned, strict=True)]
    ranked = sorted(range(len(changes)), key=lambda i: (-changes[i], i))
    kept = {*ranked[:SHOWN], *(i * len(changes) // COMMON for i in range(COMMON))}
    places = [(i, *divmod(i, plan.images_per_prompt)) for i in ranked if i in kept]
    return [
        (plan.prompts[prompt].text, draw_seed(plan, trial), base[i], tuned[i], changes[i])
        for i, prompt, trial in places
    ]


def pixel_change(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean colour distance (CIE76 Delta-E) of corresponding pixels of two (3, H, W) images."""
    import torch

    from ...metrics.images.color.cielab import lab_pixels

    before, after = (lab_pixels(torch.from_numpy(np.ascontiguousarray(image))) for image in (a, b))
    return float((before - after).square().sum(1).sqrt().mean())


def _write_pair(
    folder: Path, rank: int, prompt: str, seed: int, base: np.ndarray, tuned: np.ndarray, change: float
) -> ImagePair:
    names = [f"images/{rank:03d}_{side}.png" for side in ("base", "tuned")]
    for name, image in zip(names, (base, tuned), strict=True):
        _write_png(folder / name, image)
    return ImagePair(prompt, seed, change, names[0], names[1])


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path, "PNG")
