"""The type in which a base's weights lie on disk, by the headers of its files."""

from collections import Counter
from math import prod
from pathlib import Path

import torch

from .. import families
from ..errors import Setting, UsageError
from .base import BaseChoice, original_transformer
from .device import AUTO, DISK, choose_dtype
from .index import index_file

_TYPES = {"F64": torch.float32, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types on disk -> those that a model runs in: double precision is of no use to one."""


def dtype_of_base(name: str, device: torch.device, choice: BaseChoice) -> torch.dtype:
    """Return the floating-point type called `name` for a base; "disk" is that of most of its denoiser's weights.

    "auto" is that of 16 bits in which networks of its kind run, but float32 on the CPU. Raises UsageError where the
    weights are not on this machine, or of 8 bits, in which no layer computes.
    """
    if name == AUTO and device.type != "cpu":
        return choose_dtype(_half(choice), device)
    if name != DISK:
        return choose_dtype(name, device)
    count = Counter[str]()
    for path in _files(choice):
        count.update(_types(path))
    (kind, _), *_ = count.most_common(1) or [("none", 0)]
    if kind not in _TYPES:
        raise UsageError(
            f"{choice.path}: most of its weights are of type {kind}, in which no model runs; choose one of 16 bits.",
            Setting("dtype", "float16"),
        )
    return _TYPES[kind]


def _half(choice: BaseChoice) -> str:
    """Return the type of 16 bits for a base, as far as it is on this machine or its family's usual one."""
    from .backends.files.folder import pipeline_of
    from .backends.files.hub import cached_folder
    from .backends.files.weight_files import read_object

    if choice.kind == "file":
        alone = original_transformer(Path(choice.path))
        return "float16" if alone is None else alone.pipeline.half
    root = cached_folder(choice.path) if choice.kind == "hub" else Path(choice.path)
    if root is not None and index_file(root).is_file():
        return pipeline_of(read_object(index_file(root)), str(root)).half
    known = families.of_hub_id(choice.path)
    return known.pipeline.half if known is not None and known.pipeline is not None else "float16"


def _files(choice: BaseChoice) -> list[Path]:
    """Return the files with the weights of a base's denoiser: of a single file, the one."""
    from .backends.files.folder import pipeline_of
    from .backends.files.hub import cached_folder
    from .backends.files.weight_files import STEMS, choose_variant, read_object, weight_files

    if choice.kind == "file":
        return [Path(choice.path)]
    root = cached_folder(choice.path) if choice.kind == "hub" else Path(choice.path)
    if root is None:
        raise UsageError(
            f"{choice.path} is not in the local hub cache, so that the type of its weights is not known.",
            Setting("dtype", "auto"),
        )
    part = pipeline_of(read_object(index_file(root)), str(root)).parts[0]
    folder, stem = root / part.name, STEMS[part.library]
    names = [path.name for path in folder.glob("*")]
    return weight_files(folder, stem, choose_variant(names, stem, torch.float32, str(folder)))


def _types(path: Path) -> Counter[str]:
    """Return how many elements of each type a file holds."""
    from .backends.files.weight_files import opened

    count = Counter[str]()
    with opened(path) as file:
        slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 - not a dict
        for part in slices:
            count[part.get_dtype()] += prod(part.get_shape())
    return count
