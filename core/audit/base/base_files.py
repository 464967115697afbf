"""Base results as one file, to be measured once by a team: written from a cache, and read into another one.

A file is `MAGIC`, the length of a head in eight bytes (little-endian), the head as JSON, and the samples one after the
other, each a safetensors file of a few arrays. It names no path: a store is named by the digest of what it is about.
What it says is believed, as a colleague's report is; nothing in it is executed, and it can do no more than be wrong.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...disk.files import open_regular, replacing
from ...disk.store import SampleStore
from ...disk.stores import open_cached, stores
from ...errors import UsageError
from ...foreign import foreign
from .base_results import STAGES, About, open_results, read_about

MAGIC = b"OWFBASE1"
_LENGTH = 8
"""Bytes in which the length of a head is written."""
_MOST_HEAD, _MOST_SAMPLE, _MOST_ARRAYS = 2**24, 2**26, 8
"""Bytes of a head and of a sample, and arrays in a sample, that are read: a hundred thousand samples, the predictions
of a network ten times as wide as SDXL's, and four times as many as there are."""
_MOST_SIDE = 8192
"""Pixels of a picture's side: no base draws larger ones."""
_SHA256 = re.compile("[0-9a-f]{64}")
PNG = "png"
"""Array that holds the bytes of a picture, and so may have any length."""
_NUMBERS = "fiu"
"""Kinds of numbers that samples hold."""


@dataclass(frozen=True)
class Brought:
    """What came of one store of a file."""

    about: About
    new: int
    """Samples that were not there."""
    samples: int


def described(cache: Path) -> list[tuple[Path, About]]:
    """Return the stores of a cache that say what they are about, the most recently used first."""
    found: list[tuple[Path, About]] = []
    for path in stores(cache):
        if path.name.startswith("base-"):
            about = _about(path)
            if about is not None and about.path(cache) == path:
                found.append((path, about))
    return found


def _about(path: Path) -> About | None:
    try:
        with SampleStore(path) as store:  # to look at it is not to use it
            return read_about(store.description())
    except UsageError:  # damaged: the next audit that wants it will begin it anew
        return None


def export_results(chosen: Sequence[Path], file: Path) -> int:
    """Write some stores into one file, whole or not at all; return how many samples that are."""
    with replacing(file) as out:
        heads = [_head(path) for path in chosen]
        text = json.dumps({"stores": heads}).encode()
        out.write(MAGIC + len(text).to_bytes(_LENGTH, "little") + text)
        for path, head in zip(chosen, heads, strict=True):
            with SampleStore(path) as store:
                there = store.packed()
                for *_, digest in head["samples"]:
                    *_, packed = next(there, (b"",))
                    if digest != hashlib.sha256(packed).hexdigest():
                        raise UsageError(f"{path} was changed while it was read: export again when nothing runs.")
                    out.write(packed)
    return sum(len(head["samples"]) for head in heads)


def _head(path: Path) -> dict[str, Any]:
    with open_cached(path) as store:
        samples = [[stage, item, len(p), hashlib.sha256(p).hexdigest()] for stage, item, p in store.packed()]
        return {"about": store.description(), "samples": samples}


def import_results(file: Path, cache: Path) -> list[Brought]:
    """Put the stores of a file into a cache; what is there already stays as it is.

    Raises UsageError for a file that is not one of these, is not whole, or holds what no audit measures; every sample
    is checked before the first of its store is kept.
    """
    with foreign(f"{file} cannot be read"):
        source = open_regular(file)
    with source:
        brought: list[Brought] = []
        for about, samples in _heads(source, file):
            with open_results(about, cache) as store:
                there = store.measured()
                before = len(there)
                store.put_packed(s for s in _samples(source, samples, file) if s[:2] not in there)
                brought.append(Brought(about, len(store.measured()) - before, len(samples)))
    return brought


@dataclass(frozen=True)
class _Sample:
    stage: str
    item: str
    size: int
    sha256: str


def _heads(source: BinaryIO, file: Path) -> list[tuple[About, list[_Sample]]]:
    start = source.read(len(MAGIC) + _LENGTH)
    length = int.from_bytes(start[len(MAGIC) :], "little")
    if start[: len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + _LENGTH or length > _MOST_HEAD:
        raise UsageError(f"{file} holds no base results that were exported.")
    text = source.read(length)
    with foreign(f"{file} is damaged, or no export of base results"):
        given = json.loads(text)["stores"]
        if not isinstance(given, list) or not given:
            raise ValueError("it has the results of no base")
        found = [_store(data) for data in given]
        whole = len(start) + length + sum(sample.size for _, samples in found for sample in samples)
        if file.stat().st_size != whole:
            raise ValueError(f"it has {file.stat().st_size:,} bytes, and should have {whole:,}")
    return found


def _store(data: Any) -> tuple[About, list[_Sample]]:
    about = read_about(data["about"])
    if about is None:
        raise ValueError("it does not say which base and plan its numbers are of")
    samples = [_Sample(*sample) for sample in data["samples"]]
    if len({(sample.stage, sample.item) for sample in samples}) < len(samples):
        raise ValueError("it has a sample twice")
    for sample in samples:
        if sample.stage not in STAGES or not isinstance(sample.item, str):
            raise ValueError(f"no audit measures {str(sample.stage)[:60]!r}")
        if type(sample.size) is not int or not 0 < sample.size <= _MOST_SAMPLE:
            raise ValueError(f"a sample of {str(sample.size)[:60]} bytes is none")
        if not isinstance(sample.sha256, str) or not _SHA256.fullmatch(sample.sha256):
            raise ValueError("a sample has no checksum")
    return about, samples


def _samples(source: BinaryIO, samples: Sequence[_Sample], file: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield every sample of a store with stage and item, each checked against its checksum and its like."""
    shapes: dict[str, object] = {}
    for sample in samples:
        packed = source.read(sample.size)
        if hashlib.sha256(packed).hexdigest() != sample.sha256:
            raise UsageError(f"{file} is damaged: a sample is not what its checksum says. Export it again.")
        with foreign(f"{file} holds what no audit measures"):
            shape = _checked(packed, sample.stage)
            if shapes.setdefault(sample.stage, shape) != shape:
                raise ValueError(f"samples of {sample.stage!r} have several shapes")
        yield sample.stage, sample.item, packed


def _checked(packed: bytes, stage: str) -> object:
    """Return names, kinds and shapes of a sample's arrays; raise for what is no sample, or holds no numbers."""
    from safetensors.numpy import load

    arrays = load(packed)
    if not 0 < len(arrays) <= _MOST_ARRAYS:
        raise ValueError(f"a sample has {len(arrays)} arrays")
    for array in arrays.values():
        # Only answers have gaps: the errors of classes that were out before all timesteps were seen.
        odd = np.isinf if stage.startswith("classify") else lambda values: ~np.isfinite(values)
        if array.dtype.kind not in _NUMBERS or (array.dtype.kind == "f" and odd(array).any()):
            raise ValueError("a sample holds what is no finite number")
    pictures = [_size(arrays[PNG])] if PNG in arrays else []
    return [(name, str(a.dtype), a.shape) for name, a in sorted(arrays.items()) if name != PNG], pictures


def _size(png: np.ndarray) -> tuple[int, int]:
    """Return the size of a picture in the bytes of a PNG; raise ValueError where that is none in colour."""
    from PIL import Image

    with Image.open(io.BytesIO(png.tobytes()), formats=("PNG",)) as picture:
        if picture.mode != "RGB" or max(picture.size) > _MOST_SIDE:
            raise ValueError(f"a picture is {picture.mode} of {picture.size}: none that a base draws")
        picture.load()
        return picture.size
