"""Training of the demo base's feature network."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from owf.core.metrics.images.demo_network import FeatureNetwork

from .fashion import BACKGROUNDS, CLASSES, COLORS, colorize, draw_scene
from .stage import Stage, run_stage, step_generators

STAGE = Stage("features", steps=3000, peak_rate=4e-3, averaging=0.99)
BATCH = 64
HEADS = {"label": len(CLASSES), "color": len(COLORS), "background": len(BACKGROUNDS)}
"""What is recognised -> number of answers."""


def save_features(network: FeatureNetwork, folder: Path) -> None:
    """Write the network as float16 safetensors."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = network.state_dict().items()
    half = {n: (p.half() if p.is_floating_point() else p).contiguous() for n, p in state}
    save_file(half, folder / "model.safetensors")


def train_features(images: np.ndarray, labels: np.ndarray, work: Path, logs: Path) -> FeatureNetwork:
    """Return the network trained on the train pictures in random scenes."""
    torch.manual_seed(5)
    network = FeatureNetwork(HEADS).to(memory_format=torch.channels_last)

    def loss_at(step: int) -> torch.Tensor:
        rng, generator = step_generators(5, step)
        rows = rng.integers(len(images), size=BATCH)
        scenes = [draw_scene(int(labels[row]), rng) for row in rows]
        pictures = augment(colorize(images[rows], scenes, rng), generator)
        truth = torch.tensor([(s.label, s.color, s.background) for s in scenes])
        return features_loss(network, pictures, truth)

    run_stage(STAGE, network, loss_at, work, logs)
    return network.requires_grad_(False).eval()


def augment(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the pictures, half of them mirrored, each softened by a random amount."""
    flip = torch.rand(len(pictures), 1, 1, 1, generator=generator) < 0.5
    pictures = torch.where(flip, pictures.flip(-1), pictures)
    # Generated pictures come out of the autoencoder a little soft; sharpness must not decide.
    soft = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    return pictures.lerp(soft, 0.7 * torch.rand(len(pictures), 1, 1, 1, generator=generator))


def features_loss(network: FeatureNetwork, pictures: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the summed cross-entropy of the three heads; truth is (N, 3) in the order of HEADS."""
    features = network(pictures)
    losses = [F.cross_entropy(network.heads[n](features), truth[:, i]) for i, n in enumerate(HEADS)]
    return torch.stack(losses).sum()
