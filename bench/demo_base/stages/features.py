"""Training of the demo base's feature network."""

from pathlib import Path

import torch
import torch.nn.functional as F
from owf.core.metrics.images.demo_network import FeatureNetwork

from ..world.drawing import colorize
from ..world.world import BACKGROUNDS, CLASSES, COLORS, PATTERNS, Scene, draw_scene
from .autoencoder import Pictures
from .stage import Run, Stage, run_stage, step_generators
from .workers import PARTS

STAGE = Stage("features", steps=1200, peak_rate=4e-3, averaging=0.99)
BATCH = 64
HEADS = {"label": len(CLASSES), "color": len(COLORS), "background": len(BACKGROUNDS), "pattern": len(PATTERNS)}
"""What is recognised -> number of answers. A pattern has two colours, and both are right."""
COLOR_WEIGHT = 5.0
"""Eleven yes-or-no answers about colours are nearly always easy: their mean would weigh little beside the others."""


def save_features(network: FeatureNetwork, folder: Path) -> None:
    """Write the network as float16 safetensors."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = network.state_dict().items()
    half = {n: (p.half() if p.is_floating_point() else p).contiguous() for n, p in state}
    save_file(half, folder / "model.safetensors")


def train_features(pictures: Pictures, run: Run) -> FeatureNetwork:
    """Return the network trained on clothes in random scenes."""
    torch.manual_seed(5)
    network = FeatureNetwork(HEADS).to(memory_format=torch.channels_last)

    def loss_at(step: int, part: int) -> torch.Tensor:
        rng, generator = step_generators(5, step, part)
        rows = rng.integers(len(pictures.images), size=BATCH // PARTS)
        scenes = [draw_scene(int(pictures.labels[row]), rng) for row in rows]
        seen = augment(colorize(pictures.images[rows], scenes, rng), generator)
        return features_loss(network, seen, scenes)

    run_stage(STAGE, network, loss_at, run)
    return network.requires_grad_(False).eval()


def augment(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the pictures, half of them mirrored, each softened by a random amount."""
    flip = torch.rand(len(pictures), 1, 1, 1, generator=generator) < 0.5
    pictures = torch.where(flip, pictures.flip(-1), pictures)
    # Generated pictures come out of the autoencoder a little soft; sharpness must not decide.
    soft = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    return pictures.lerp(soft, 0.7 * torch.rand(len(pictures), 1, 1, 1, generator=generator))


def features_loss(network: FeatureNetwork, pictures: torch.Tensor, scenes: list[Scene]) -> torch.Tensor:
    """Return the summed cross-entropy of the heads."""
    features = network(pictures)
    one = {
        "label": [s.label for s in scenes],
        "background": [s.background for s in scenes],
        "pattern": [s.pattern for s in scenes],
    }
    losses = [F.cross_entropy(network.heads[name](features), torch.tensor(truth)) for name, truth in one.items()]
    colors = F.binary_cross_entropy_with_logits(network.heads["color"](features), shown_colors(scenes))
    return torch.stack([*losses, COLOR_WEIGHT * colors]).sum()


def shown_colors(scenes: list[Scene]) -> torch.Tensor:
    """Return (N, colours) with 1 where a thing has the colour, its first or its second."""
    shown = torch.zeros(len(scenes), len(COLORS))
    for row, scene in enumerate(scenes):
        shown[row, [scene.color, scene.color if scene.second is None else scene.second]] = 1
    return shown
