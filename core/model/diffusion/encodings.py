"""What a base's encoders make of prompts and pictures, each encoded once and kept on disk for the next time."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from ...disk.store import SampleStore
from ...disk.stores import open_cached
from ...versions import versions
from .denoiser import Conditioning, Denoiser, Hosted, overflow
from .noise import at_least_float32

_PARTS = ("context", "pooled", "mask")
"""Fields of a `Conditioning`."""

_MEMORY = torch.device("cpu")
"""Where captions wait: hundreds of them at 512 tokens are gigabytes, of which a step asks a few rows."""

Arrays = dict[str, np.ndarray]
Text = tuple[str, ...]
"""A prompt, or a prompt and what guidance leads away from."""


@contextmanager
def kept_encodings(denoiser: Denoiser, cache: Path | None) -> "Iterator[Encodings]":
    """Return a context with the encodings that a cache's folder holds, to which others are added; None keeps nothing.

    The file is read whole, once, for what is damaged in it.
    """
    if cache is None:
        yield Encodings(denoiser)
        return
    with open_cached(cache / f"encoded-{_key(denoiser)}.sqlite") as store:
        yield Encodings(denoiser, store)


class Encodings:
    """Encoded prompts and pictures of one base; where they are kept, its encoders must be those of the base."""

    def __init__(self, denoiser: Denoiser, store: SampleStore | None = None) -> None:
        self.denoiser, self._store = denoiser, store

    def captions(self, captions: Sequence[str]) -> list[Conditioning]:
        """Return one row for each caption in main memory, encoded alone and without what fills it up.

        A row of several depends in its last digits on how many there are, as the pooled ones of Stable Diffusion XL
        do, and a training that goes on meets its captions in other company.
        """
        return self.texts([(caption,) for caption in captions])

    def texts(self, texts: Sequence[Text]) -> list[Conditioning]:
        """Return what `captions` does of prompts, and two rows where one says what guidance leads away from."""
        return [self._text(text) for text in texts]

    def pictures(self, pictures: Sequence[torch.Tensor], *, mirrored: bool) -> list[torch.Tensor]:
        """Return the latents (1 or 2, C, h, w) float32 on the CPU of uint8 pictures (3, H, W).

        With `mirrored` the second is that of the mirror image. Raises InvalidError where they are not finite.
        """
        return [self._picture(picture, mirrored) for picture in pictures]

    def _encoded(self, prompt: str, *negative: str) -> Conditioning:
        if not negative:
            return self.denoiser.encode_text([prompt]).to(_MEMORY).trimmed()
        return self.denoiser.encode_guided([prompt], negative).to(_MEMORY).trimmed()

    def _text(self, text: Text) -> Conditioning:
        stage, name = ("captions", *text) if len(text) == 1 else ("guided", json.dumps(text))
        kept = None if self._store is None else self._store.get(stage, name)
        if kept is not None:
            return _conditioning(kept)
        found = self._encoded(*text)
        if self._store is not None and type(found) is Conditioning:  # a host's holds more than tensors
            self._store.put(stage, [(name, _arrays(found))])
        return found

    def _picture(self, picture: torch.Tensor, mirrored: bool) -> torch.Tensor:
        if self._store is None:
            return self._seen(picture, mirrored)
        name = _picture_name(picture, mirrored)
        kept = self._store.get("pictures", name)
        if kept is not None:
            return torch.from_numpy(kept["latents"])
        found = self._seen(picture, mirrored)
        self._store.put("pictures", [(name, {"latents": found.numpy()})])
        return found

    def _seen(self, picture: torch.Tensor, mirrored: bool) -> torch.Tensor:
        views = [picture, picture.flip(2)] if mirrored else [picture]
        latents = at_least_float32(self.denoiser.encode_image(torch.stack(views))).cpu()
        if not latents.isfinite().all():
            dtype = self.denoiser.dtype
            raise overflow(f"The VAE made numbers that are not finite ({dtype})", dtype)
        return latents


def _key(denoiser: Denoiser) -> str:
    """Return what tells encoders apart whose results may differ in a bit: the last digits are the machine's."""
    host = sorted(denoiser.host.items()) if isinstance(denoiser, Hosted) else ()
    card = torch.cuda.get_device_name(denoiser.device) if denoiser.device.type == "cuda" else denoiser.device.type
    told = (denoiser.digest(), denoiser.dtype, card, denoiser.clip_skip, sorted(versions().items()), host)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _picture_name(picture: torch.Tensor, mirrored: bool) -> str:
    sha = hashlib.sha256(f"{tuple(picture.shape)}|{mirrored}|".encode())
    sha.update(picture.contiguous().numpy().tobytes())
    return sha.hexdigest()


def _packed(name: str, part: torch.Tensor) -> tuple[str, np.ndarray]:
    """Return a tensor's bits and, in its name, their type: NumPy has no bfloat16."""
    part = part.detach().cpu().contiguous()
    bits = part.view(torch.int16) if part.dtype == torch.bfloat16 else part
    return f"{name}.{str(part.dtype).removeprefix('torch.')}", bits.numpy()


def _arrays(found: Conditioning) -> Arrays:
    parts = {name: getattr(found, name) for name in _PARTS}
    return dict(_packed(name, part) for name, part in parts.items() if part is not None)


def _conditioning(arrays: Arrays) -> Conditioning:
    parts = {}
    for name, bits in arrays.items():
        field, dtype = name.split(".")
        parts[field] = torch.from_numpy(bits).view(getattr(torch, dtype))
    return Conditioning(**parts)
