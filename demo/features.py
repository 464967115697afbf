"""The demo base's feature network: a small classifier of class, colour and background."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .fashion import BACKGROUNDS, CLASSES, COLORS, colorize, draw_scene
from .stage import Stage, run_stage, step_generators

STAGE = Stage("features", steps=3000, peak_rate=4e-3, averaging=0.99)
BATCH = 64
WIDTH = 128
HEADS = {"label": len(CLASSES), "color": len(COLORS), "background": len(BACKGROUNDS)}
"""What is recognised -> number of answers."""


class FeatureNetwork(nn.Module):
    """Features of 64x64 pictures, and what they show."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(3, 32, kernel=5, stride=2),
            _block(32, 64, kernel=3, stride=2),
            _block(64, WIDTH, kernel=3, stride=2),
            _block(WIDTH, WIDTH, kernel=3, stride=1),
            _block(WIDTH, WIDTH, kernel=3, stride=1),
        )
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in HEADS.items()})

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, 128) features of (N, 3, 64, 64) pixels in [0, 1]."""
        return self.body(pixels * 2 - 1).mean(dim=(2, 3))

    def classify(self, pixels: torch.Tensor, head: str = "label") -> torch.Tensor:
        """Return (N, answers) logits of the head "label", "color" or "background"."""
        return self.heads[head](self(pixels))


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def load_features(folder: Path) -> FeatureNetwork:
    """Return the trained network of a folder, in float32 and evaluation mode."""
    from safetensors.torch import load_file

    network = FeatureNetwork()
    network.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    return network.requires_grad_(False).eval()


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
    network = FeatureNetwork().to(memory_format=torch.channels_last)

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
