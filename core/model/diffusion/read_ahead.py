"""Prompts that are read before a model is asked about them, many at once, and wait in main memory.

A language model may be as large as the denoiser that it reads for. Where the two take turns on a card, one that was
asked for every batch would be moved there for every batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import torch

from ... import families
from .denoiser import Conditioning, Denoiser, joined

AHEAD = 128
"""Prompts that are read at once: half a gigabyte at FLUX.1's 512 tokens, and a few turns for a whole vocabulary."""
_MEMORY = torch.device("cpu")

Text = tuple[str, ...]
"""A prompt, or a prompt and what guidance leads away from."""
_Part = TypeVar("_Part")


def reading_ahead(
    denoiser: Denoiser, parts: Iterable[_Part], texts: Callable[[_Part], Iterable[Text]]
) -> Iterator[tuple[Denoiser, _Part]]:
    """Yield the parts of a work in their order, each with a denoiser that has read its `texts` with those of others.

    Each text is read alone, so that no number depends on what is read at once. A base whose prompts a CLIP reads is
    yielded as it is: that costs next to nothing. Weights must not change in between.
    """
    pipeline = families.get(denoiser.family).pipeline
    if pipeline is not None and pipeline.trains_text:
        yield from ((denoiser, part) for part in parts)
        return
    waiting: list[_Part] = []
    asked: dict[Text, None] = {}
    for part in parts:
        waiting.append(part)
        asked |= dict.fromkeys(texts(part))
        if len(asked) >= AHEAD:
            yield from _read(denoiser, asked, waiting)
            waiting, asked = [], {}
    yield from _read(denoiser, asked, waiting)


def _read(denoiser: Denoiser, asked: Iterable[Text], parts: Iterable[_Part]) -> Iterator[tuple[Denoiser, _Part]]:
    reader = cast(Denoiser, _Reader(denoiser, asked))
    yield from ((reader, part) for part in parts)


class _Reader:
    """A denoiser that takes what it has read out of main memory; everything else is the denoiser's own."""

    def __init__(self, denoiser: Denoiser, texts: Iterable[Text]) -> None:
        self._denoiser, self._rows = denoiser, {text: self._row(denoiser, *text) for text in texts}

    @staticmethod
    def _row(denoiser: Denoiser, prompt: str, *negative: str) -> Conditioning:
        """Return one row; two, the second of what guidance leads away from, where that is given."""
        if not negative:
            return denoiser.encode_text([prompt]).to(_MEMORY).trimmed()
        return denoiser.encode_guided([prompt], negative).to(_MEMORY).trimmed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._denoiser, name)

    def encode_text(self, prompts: Sequence[str]) -> Conditioning:
        """Return what the denoiser is told of prompts, one row each."""
        return joined([self._rows[prompt,] for prompt in prompts]).to(self._denoiser.device)

    def encode_guided(self, prompts: Sequence[str], negatives: Sequence[str]) -> Conditioning:
        """Return the rows of the prompts, then those of what guidance leads away from."""
        pairs = joined([self._rows[texts] for texts in zip(prompts, negatives, strict=True)])
        order = [2 * i + side for side in range(2) for i in range(len(prompts))]
        return pairs.rows(order).to(self._denoiser.device)
