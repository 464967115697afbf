"""Encoded captions, each encoded once."""

from collections.abc import Sequence

from ...model.diffusion.denoiser import Conditioning, Denoiser, joined


class TextCache:
    """Conditioning of the base's text encoder by caption; that encoder must be in place when it is asked."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self._known: dict[str, Conditioning] = {}

    def rows(self, captions: Sequence[str]) -> Conditioning:
        """Return one row per caption.

        Each is encoded alone: a row of several depends in its last digits on how many there are, as the pooled ones of
        Stable Diffusion XL do, and a training that goes on meets its captions in other company.
        """
        for caption in captions:
            if caption not in self._known:
                self._known[caption] = self._denoiser.encode_text([caption])
        return joined([self._known[caption] for caption in captions])
