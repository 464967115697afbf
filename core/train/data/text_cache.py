"""Encoded captions, each encoded once."""

from collections.abc import Sequence

from ...model.diffusion.denoiser import Conditioning, Denoiser, joined


class TextCache:
    """Conditioning of the base's text encoder by caption."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self._known: dict[str, Conditioning] = {}

    def learn(self, captions: Sequence[str]) -> None:
        """Encode what is not known yet; the base's text encoder must be in place."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._known]
        for start in range(0, len(new), 32):
            part = new[start : start + 32]
            cond = self._denoiser.encode_text(part)
            self._known.update({caption: cond.rows([i]) for i, caption in enumerate(part)})

    def rows(self, captions: Sequence[str]) -> Conditioning:
        """Return one row per caption."""
        self.learn(captions)
        return joined([self._known[caption] for caption in captions])
