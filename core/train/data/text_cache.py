"""Encoded captions of a training, each in main memory once it was asked for."""

from collections.abc import Sequence

from ...model.diffusion.denoiser import Conditioning, joined
from ...model.diffusion.encodings import Encodings


class TextCache:
    """Conditioning of the base's text encoder by caption; that encoder must be in place when it is asked."""

    def __init__(self, encodings: Encodings) -> None:
        self._encodings = encodings
        self._known: dict[str, Conditioning] = {}

    def rows(self, captions: Sequence[str]) -> Conditioning:
        """Return one row per caption, where the base is."""
        self.read(captions)
        return joined([self._known[caption] for caption in captions]).to(self._encodings.denoiser.device)

    def read(self, captions: Sequence[str]) -> None:
        """Read captions ahead of the steps that ask them."""
        missing = [caption for caption in dict.fromkeys(captions) if caption not in self._known]
        if missing:
            self._known |= zip(missing, self._encodings.captions(missing), strict=True)
