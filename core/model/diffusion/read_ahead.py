"""Prompts that are read before a model is asked about them, many at once, and wait in main memory.

A language model may be as large as the denoiser that it reads for. Where the two take turns on a card, one that was
asked for every batch would be moved there for every batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar, cast

from ... import families
from .denoiser import Conditioning, Denoiser, joined
from .encodings import Encodings, Text, kept_encodings

AHEAD = 128
"""Prompts that are read at once: half a gigabyte at FLUX.1's 512 tokens, and a few turns for a whole vocabulary."""

_Part = TypeVar("_Part")


def kept_readings(denoiser: Denoiser, cache: Path) -> AbstractContextManager[Encodings]:
    """Return a context with what the base's text encoders made of prompts, for audits of LoRAs that leave these alone.

    Nothing is kept of a CLIP, which is fast.
    """
    return kept_encodings(denoiser, None if _is_read_by_clip(denoiser) else cache)


def reading_ahead(
    encodings: Encodings, parts: Iterable[_Part], texts: Callable[[_Part], Iterable[Text]]
) -> Iterator[tuple[Denoiser, _Part]]:
    """Yield the parts of a work in their order, each with a denoiser that has read its `texts` with those of others.

    Each text is read alone, so that no number depends on what is read at once. A base whose prompts a CLIP reads is
    yielded as it is: that costs next to nothing. Weights must not change in between.
    """
    if _is_read_by_clip(encodings.denoiser):
        yield from ((encodings.denoiser, part) for part in parts)
        return
    waiting: list[_Part] = []
    asked: dict[Text, None] = {}
    for part in parts:
        waiting.append(part)
        asked |= dict.fromkeys(texts(part))
        if len(asked) >= AHEAD:
            yield from _read(encodings, list(asked), waiting)
            waiting, asked = [], {}
    yield from _read(encodings, list(asked), waiting)


def read_prompts(encodings: Encodings, prompts: Sequence[str]) -> Conditioning:
    """Return what a denoiser is told of prompts, one row each, read as `reading_ahead` has them read."""
    if _is_read_by_clip(encodings.denoiser):
        return encodings.denoiser.encode_text(prompts)
    return joined(encodings.texts([(prompt,) for prompt in prompts])).to(encodings.denoiser.device)


def _is_read_by_clip(denoiser: Denoiser) -> bool:
    pipeline = families.get(denoiser.family).pipeline
    return pipeline is not None and pipeline.is_read_by_clip


def _read(encodings: Encodings, asked: Sequence[Text], parts: Iterable[_Part]) -> Iterator[tuple[Denoiser, _Part]]:
    rows = dict(zip(asked, encodings.texts(asked), strict=True))
    reader = cast(Denoiser, _Reader(encodings.denoiser, rows))
    yield from ((reader, part) for part in parts)


class _Reader:
    """A denoiser that takes what was read out of main memory; everything else is the denoiser's own."""

    def __init__(self, denoiser: Denoiser, rows: Mapping[Text, Conditioning]) -> None:
        self._denoiser, self._rows = denoiser, rows

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
