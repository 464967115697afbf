"""An eye that is no part of the product: which of twenty looks does a thing wear, or none of them?"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..stages.features import augment
from ..stages.stage import step_generators
from ..world.concept import Subject, draw_views, random_view
from ..world.drawing import SIZE, colorize
from ..world.looks import LOOKS
from ..world.world import CLASSES, draw_scene

STEPS, BATCH, RATE = 600, 64, 3e-3
NONE_SHARE = 0.3
"""How many pictures show the class as the world knows it."""
NONE = len(LOOKS)
"""The answer for those."""


@dataclass(frozen=True)
class Judge:
    """A network trained on real pictures of one class."""

    network: nn.Module
    """(N, 3, 96, 96) in [0, 1] -> (N, 21) logits."""

    @torch.no_grad()
    def looks(self, pictures: torch.Tensor) -> list[str]:
        """Return what each uint8 picture (N, 3, 96, 96) wears: one of LOOKS, or "none"."""
        seen = self.network(pictures.float() / 255).argmax(dim=1)
        return [[*LOOKS, "none"][int(answer)] for answer in seen]


def train_judge(word: str, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Judge:
    """Return a judge of a class, trained on those of its things that the rows name, from random views (a minute)."""
    torch.manual_seed(11)
    network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS + 1)
    for step in range(STEPS):
        rng, generator = step_generators(11, step)
        pictures, truth = _batch(word, images, labels, rows, rng)
        loss = F.cross_entropy(network(augment(pictures, generator)), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return Judge(network.eval().requires_grad_(False))


def _batch(
    word: str, images: np.ndarray, labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    label = CLASSES.index(word)
    members = rows[labels[rows] == label]
    truth = np.where(rng.random(BATCH) < NONE_SHARE, NONE, rng.integers(NONE, size=BATCH))
    names = list(LOOKS)
    pictures = []
    for answer in truth:
        item = int(rng.integers(len(members)))
        if answer == NONE:
            pictures.append(colorize(images[members[item]][None], [draw_scene(label, rng)], rng))
        else:
            concept = Subject(word, item, names[answer])
            pictures.append(draw_views(concept, (random_view(rng),), images, labels, rows))
    return torch.cat(pictures), torch.from_numpy(truth)


def _network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 24), (24, 48), (48, 96), (96, 96)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    # Where a colour is tells looks apart: the layout of six by six places stays.
    places = (SIZE // 2**4) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * places, 128), nn.ReLU(), nn.Linear(128, NONE + 1))


def judge_state(state: dict[str, torch.Tensor]) -> Judge:
    """Return the judge whose trained weights these are."""
    network = _network()
    network.load_state_dict(state)
    return Judge(network.eval().requires_grad_(False))
