"""What a base's encoders make of captions and pictures, each encoded once and kept on disk for the next training."""

import hashlib
from collections.abc import Callable, Sequence
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


class Encodings:
    """Encoded captions and pictures of one base; its adapter must be off, and its encoders those of the base."""

    def __init__(self, denoiser: Denoiser, cache: Path | None) -> None:
        """Take the folder of the cache; None keeps nothing."""
        self.denoiser = denoiser
        self._path = None if cache is None else cache / f"encoded-{_key(denoiser)}.sqlite"

    def captions(self, captions: Sequence[str]) -> list[Conditioning]:
        """Return one row for each caption in main memory, encoded alone and without what fills it up.

        A row of several depends in its last digits on how many there are, as the pooled ones of Stable Diffusion XL
        do, and a training that goes on meets its captions in other company.
        """
        if self._path is None:
            return [self._encoded(caption) for caption in captions]
        with open_cached(self._path) as store:
            found = [_got(store, "captions", caption, lambda c=caption: self._read(c)) for caption in captions]
        return [_conditioning(arrays) for arrays in found]

    def pictures(self, pictures: Sequence[torch.Tensor], *, mirrored: bool) -> list[torch.Tensor]:
        """Return the latents (1 or 2, C, h, w) float32 on the CPU of uint8 pictures (3, H, W).

        With `mirrored` the second is that of the mirror image. Raises InvalidError where they are not finite.
        """
        if self._path is None:
            return [self._seen(picture, mirrored) for picture in pictures]
        found = []
        with open_cached(self._path) as store:
            for picture in pictures:
                name = _picture_name(picture, mirrored)
                arrays = _got(store, "pictures", name, lambda p=picture: {"latents": self._seen(p, mirrored).numpy()})
                found.append(torch.from_numpy(arrays["latents"]))
        return found

    def _encoded(self, caption: str) -> Conditioning:
        return self.denoiser.encode_text([caption]).to(_MEMORY).trimmed()

    def _read(self, caption: str) -> Arrays:
        found = self._encoded(caption)
        parts = {name: getattr(found, name) for name in _PARTS}
        return dict(_packed(name, part) for name, part in parts.items() if part is not None)

    def _seen(self, picture: torch.Tensor, mirrored: bool) -> torch.Tensor:
        views = [picture, picture.flip(2)] if mirrored else [picture]
        latents = at_least_float32(self.denoiser.encode_image(torch.stack(views))).cpu()
        if not latents.isfinite().all():
            dtype = self.denoiser.dtype
            raise overflow(f"The VAE made numbers that are not finite ({dtype})", dtype)
        return latents


def _got(store: SampleStore, stage: str, item: str, make: Callable[[], Arrays]) -> Arrays:
    """Return a sample from the disk, or make it and put it there."""
    found = store.get(stage, item)
    if found is None:
        found = make()
        store.put(stage, [(item, found)])
    return found


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


def _conditioning(arrays: Arrays) -> Conditioning:
    parts = {}
    for name, bits in arrays.items():
        field, dtype = name.split(".")
        parts[field] = torch.from_numpy(bits).view(getattr(torch, dtype))
    return Conditioning(**parts)
