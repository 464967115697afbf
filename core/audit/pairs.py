"""Image pairs for the report: the same prompt and noise, drawn by base and tuned."""

from pathlib import Path

import numpy as np

from ..metrics.evidence import Drawings
from ..plan.audit_plan import AuditPlan
from ..verdict.report import ImagePair
from .recorder import draw_seed

SHOWN = 24
"""Pairs that are written because they changed most."""
COMMON = 6
"""Pairs that every report of a plan shows, so that LoRAs can be compared by the same pictures."""


def write_pairs(folder: Path, plan: AuditPlan, drawings: Drawings | None) -> tuple[ImagePair, ...]:
    """Write the most changed pairs of drawings, and a few fixed ones, as PNG under folder/images.

    Return them, the most changed first; none where there are no drawings.
    """
    if drawings is None:
        return ()
    base, tuned = drawings.base, drawings.tuned
    changes = [pixel_change(a, b) for a, b in zip(base, tuned, strict=True)]
    ranked = sorted(range(len(changes)), key=lambda i: (-changes[i], i))
    kept = {*ranked[:SHOWN], *(i * len(changes) // COMMON for i in range(COMMON))}
    order = [i for i in ranked if i in kept]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    return tuple(_write_pair(folder, plan, i, rank, changes[i], base[i], tuned[i]) for rank, i in enumerate(order))


def pixel_change(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean colour distance (CIE76 Delta-E) of corresponding pixels of two (3, H, W) images."""
    import torch

    from ..metrics.images.cielab import lab_pixels

    before, after = (lab_pixels(torch.from_numpy(np.ascontiguousarray(image))) for image in (a, b))
    return float((before - after).square().sum(1).sqrt().mean())


def _write_pair(
    folder: Path, plan: AuditPlan, index: int, rank: int, change: float, base: np.ndarray, tuned: np.ndarray
) -> ImagePair:
    prompt, trial = divmod(index, plan.images_per_prompt)
    names = [f"images/{rank:03d}_{side}.png" for side in ("base", "tuned")]
    for name, image in zip(names, (base, tuned), strict=True):
        _write_png(folder / name, image)
    return ImagePair(plan.prompts[prompt].text, draw_seed(plan, trial), change, names[0], names[1])


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path, "PNG")
