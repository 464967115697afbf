"""Textual inversion (Gal et al. 2022, arXiv 2208.01618): the trigger's embedding alone is learned, and no weight.

A prompt without the trigger is encoded as the base encodes it, bit for bit: nothing that an audit asks can move.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...adapter import LoraCard
from ...model.diffusion.denoiser import TrainableDenoiser
from ...model.diffusion.encodings import Encodings, kept_encodings
from ...plan.concept import Concept
from ...train.data.concept import ConceptData
from ...train.data.text_cache import TextCache
from ...train.learned import learned
from ...train.loop.loss import LossMaker
from ...train.loop.state import TrainState
from ...train.loop.step import Step
from ...train.methods.embedding import LearnedEmbedding, read_embedding
from ...train.plan import TrainPlan
from ...train.records import TrainSetting
from ...train.session import Training
from ...verdict.learning import Learning
from ...verdict.report import AdapterRecord


class TextualInversion:
    """The embedding in the place of the base's; a `Method` of the training loop."""

    trains_text = True

    def __init__(self, denoiser: TrainableDenoiser, plan: TrainPlan) -> None:
        self._embedding = LearnedEmbedding(denoiser, Concept(plan.trigger, plan.class_word).pure_trigger)
        self.parameters: Mapping[str, nn.Parameter] = {"embedding": self._embedding.parameter}

    @contextmanager
    def off(self) -> Iterator[None]:
        """Return a context with the base's own embedding."""
        self._embedding.is_on = False
        try:
            yield
        finally:
            self._embedding.is_on = True

    def changes(self) -> Iterator[torch.Tensor]:
        """Return no change of any layer's weight."""
        return iter(())

    def write(self, path: Path, card: LoraCard | None = None) -> Path:
        """Write the embedding to `path`; return it."""
        return self._embedding.write(path)

    def detach(self) -> None:
        """Take the hook off."""
        self._embedding.detach()


def invert(training: Training, path: Path, setting: TrainSetting) -> Learning:
    """Return what was learned by an embedding, which is at `path` then."""
    denoiser, plan, pictures = training.denoiser, training.plan, training.pictures
    setting.progress.total(plan.steps * plan.batch)
    pixels, captions, repeats = zip(*((p.pixels, p.caption, p.repeats) for p in pictures), strict=True)
    with kept_encodings(denoiser, setting.cache) as encodings:
        data = ConceptData(encodings, pixels, captions, repeats, plan)
    method = TextualInversion(denoiser, plan)
    try:
        state = TrainState(denoiser, method, plan, denoiser.dtype)
        losses = LossMaker(denoiser, method, TextCache(Encodings(denoiser)), plan.min_snr, denoiser.dtype)
        step = Step(losses, data, {}, plan, setting.progress)
        setting.progress.stage("Training an embedding")
        while state.step < plan.steps:
            step.take(state)
        method.write(path)
        return learned(denoiser, method.off, pictures, training.held_out, training.bank.form, plan, setting)
    finally:
        method.detach()


class EmbeddingChange:
    """An embedding in the place of the base's own, as hosts put it there."""

    is_repeatable = True
    reads_as_base = False

    def __init__(self, denoiser: TrainableDenoiser, path: Path, word: str, claimed: tuple[str, ...] = ()) -> None:
        self.claimed = claimed
        self._token, self._name, self._family = denoiser.token(word), path.name, denoiser.family
        self._weight = self._token.embedding.weight.data
        self._learned = read_embedding(path).to(self._weight)
        self._digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._base: torch.Tensor | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Return the file and the token."""
        return "embedding", self._digest, str(self._token.number)

    def refusal(self) -> str | None:
        """Return None: an embedding that was loaded fits."""
        return None

    def record(self) -> AdapterRecord:
        """Return that one token is another, and no weight."""
        return AdapterRecord(
            name=self._name,
            sha256=self._digest,
            format="embedding",
            algorithm="textual inversion",
            family=self._family,
            strength=1.0,
            matched=1,
            unmatched=0,
            delta_norm=0.0,
        )

    def on(self) -> None:
        """Put the learned embedding in place."""
        self.off()
        self._base = self._weight[self._token.number].clone()
        self._weight[self._token.number] = self._learned

    def off(self) -> None:
        """Put the base's own back, bit for bit."""
        if self._base is not None:
            self._weight[self._token.number] = self._base
            self._base = None
