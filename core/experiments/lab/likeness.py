"""How like the concept are pictures of its trigger, to DINO and CLIP, and how like what they were asked for.

DreamBooth's evaluation (Ruiz et al., 2023): the mean cosine of drawn pictures and pictures of the concept, and of drawn
pictures and their prompt. The trigger, which CLIP does not know, is left out of the prompt.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...families import shipped
from ...metrics.images.features import FeatureNetwork, Fetching, load_features
from ...metrics.images.likeness import unit
from ...metrics.images.towers import embed_texts, load_clip
from ...metrics.measurement import Estimate
from ...metrics.statistics import COSINE, mean_estimate
from ...model.diffusion.batch import Batching
from ...model.diffusion.denoiser import TrainableDenoiser
from ...model.diffusion.drawings import sampling_of
from ...model.diffusion.sample import generate
from ...plan.concept import Concept
from ...progress import Progress
from ...train.methods.embedding import embedding_path
from ...train.session import Training
from .inversion import EmbeddingChange

SEED = 880_000_000
"""Seeds of these drawings start here, far from those of audits and trainings."""


@dataclass(frozen=True)
class Seers:
    """What looks at the pictures."""

    networks: Mapping[str, FeatureNetwork]
    """Number's name -> network."""
    text: Callable[[Sequence[str]], np.ndarray] | None
    """CLIP's text tower, texts -> features (N, D); None where the base's world is seen by a network of its own, which
    knows no words."""


def load_seers(family: str, fetching: Fetching) -> Seers:
    """Return CLIP and DINO, or the network that ships for a family; raise UsageError where one cannot be loaded."""
    if family in shipped():
        return Seers({"concept_own": load_features(family, fetching)}, None)
    names = {"concept_dino": "dino", "concept_clip_i": "clip"}
    networks = {number: load_features(name, fetching) for number, name in names.items()}
    model, tokenizer = load_clip(fetching.offline)
    return Seers(networks, lambda texts: embed_texts(model, tokenizer, texts).numpy())


@contextmanager
def word_in_place(denoiser: TrainableDenoiser, lora: Path, concept: Concept) -> Iterator[None]:
    """Return a context with the trigger's embedding that lies beside a LoRA, if one does, in the text encoder."""
    path = embedding_path(lora, concept.pure_trigger)
    if not path.exists():
        yield
        return
    word = EmbeddingChange(denoiser, path, concept.pure_trigger)
    word.on()
    try:
        yield
    finally:
        word.off()


def concept_likeness(
    denoiser: TrainableDenoiser, training: Training, seers: Seers, count: int, batch: Batching, progress: Progress
) -> dict[str, Estimate]:
    """Return the numbers of `count` pictures of the trigger that the model in place draws."""
    plan = training.plan
    concept = Concept(plan.trigger, plan.class_word)
    prompt = concept.caption(plan.caption)
    sampling = sampling_of(training.usual)
    progress.total(count * sampling.rows)
    progress.stage("Drawing the concept")
    drawn, _ = generate(denoiser, [prompt] * count, range(SEED, SEED + count), sampling, batch, progress)
    views = [picture.pixels for picture in training.held_out or training.pictures]
    found = {name: mean_cosine(network(drawn), _each(views, network)) for name, network in seers.networks.items()}
    if seers.text is not None:
        words = seers.text([concept.strip(prompt, plan.caption)])
        found["concept_clip_t"] = mean_cosine(seers.networks["concept_clip_i"](drawn), words)
    return found


def _each(images: Sequence[torch.Tensor], network: Callable[[torch.Tensor], np.ndarray]) -> np.ndarray:
    """Return features (N, D) of images whose shapes may differ."""
    return np.concatenate([network(image[None]) for image in images])


def mean_cosine(drawn: np.ndarray, others: np.ndarray) -> Estimate:
    """Return the mean cosine of features (S, D) to others (V, D), with an interval over the drawn pictures."""
    return mean_estimate((unit(drawn) @ unit(others).T).mean(1), within=COSINE)
