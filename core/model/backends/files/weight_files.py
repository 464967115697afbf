"""Which weight files of a part of a diffusers folder are read, and what their headers say before anything is loaded."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from ....disk.files import listing, open_regular, read_regular
from ....disk.tensor_files import PICKLES, START, instead_of_header
from ....errors import Setting, UsageError
from ....foreign import foreign

STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
"""How each library names the weights of a model."""

_HALF = ("fp16", "bf16")
_NOT_WEIGHTS = re.compile(r".*(position_ids|num_batches_tracked|num_updates|\.comfy_quant)")
"""Whole numbers that belong to a text encoder, that training left, or that are text about others."""
_LARGEST = 2**24
"""Bytes of settings and indices that are read: the index of a model of a thousand shards has a million."""
_FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
"""Types that hold values; whole numbers of eight bits do with a scale beside them."""
_EIGHT_BITS = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "I8": torch.int8}
"""Those of eight bits on disk -> in memory."""
SCALES = ("scale_weight", "weight_scale")
"""What the scale of a layer's weight is called in files of ComfyUI's."""


def choose_variant(names: Sequence[str], stem: str, dtype: torch.dtype, where: str) -> str | None:
    """Return the variant ("fp16", "non_ema") of a part's weights to read, None for those without a suffix.

    `names` are the files of the part's folder, `where` the folder in messages. Preferred is what has the wanted
    precision; but any variant is better than none, even the weights of training without averages. Raises UsageError
    where there is none.
    """
    found = {match["whole"] or match["index"] for name in names if (match := _pattern(stem).fullmatch(name))}
    if not found:
        raise UsageError(_nothing(names, stem, where))
    return min(found, key=lambda variant: _rank(variant, dtype))


def _pattern(stem: str) -> re.Pattern[str]:
    whole = rf"{stem}(?:\.(?P<whole>[\w-]+?)(?<!-of-\d{{5}}))?\.(?i:safetensors)"  # a shard is not a variant
    index = rf"{stem}\.safetensors\.index(?:\.(?P<index>[\w-]+))?\.json"
    return re.compile(rf"(?:{whole}|{index})")


def _rank(variant: str | None, dtype: torch.dtype) -> tuple[int, str]:
    """Return the place of a variant among several, the smallest first."""
    if variant is None:  # full precision nearly always: second only to a file made for the wanted type
        return 1, ""
    name = variant.lower()
    if dtype != torch.float32 and name in _HALF:
        return (0 if (name == "bf16") == (dtype == torch.bfloat16) else 2), name
    if "ema" in name:  # other weights than those that pictures are made with: non_ema is for going on with training
        return 5, name
    return (4 if name in _HALF or "8" in name else 3), name


def _nothing(names: Sequence[str], stem: str, where: str) -> str:
    pickles = [name for name in names if name.lower().endswith(PICKLES)]
    if pickles:
        return (
            f"{where} holds its weights only as {min(pickles)}, a pickle, which can run code: it is not read. Get the "
            "model with .safetensors files."
        )
    return f"{where} has no weights: there is no {stem}.safetensors, nor a variant of it."


def variant_files(names: Sequence[str], stem: str, variant: str | None) -> list[str]:
    """Return the files of a variant's weights among the `names` of a folder: the whole one, or index and shards."""
    suffix = "" if variant is None else f".{variant}"
    plain = {name: small_ending(name) for name in names}
    whole = [name for name in names if plain[name] == f"{stem}{suffix}.safetensors"]
    index = f"{stem}.safetensors.index{suffix}.json"
    shards = (f"{stem}{suffix}-*.safetensors", f"{stem}-*{suffix}.safetensors")
    in_pieces = (n for n in names if n == index or any(fnmatchcase(plain[n], pattern) for pattern in shards))
    return whole or list(in_pieces)


def small_ending(name: str) -> str:
    """Return the name of a file with its ending in small letters, in which endings are compared."""
    path = Path(name)
    return name.removesuffix(path.suffix) + path.suffix.lower()


def weight_files(folder: Path, stem: str, variant: str | None) -> list[Path]:
    """Return the files of a variant's weights; raise UsageError where an index names one that is not there."""
    suffix = "" if variant is None else f".{variant}"
    index = folder / f"{stem}.safetensors.index{suffix}.json"
    whole = _with_any_ending(folder, f"{stem}{suffix}.safetensors")
    if whole is not None:
        return [whole]
    listed = read_object(index).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise UsageError(f"{index} has no weight_map that says which file holds which weight.")
    names = sorted(set(listed.values()))
    found = {name: _with_any_ending(folder, name) if name == Path(name).name else None for name in names}
    absent = [name for name, file in found.items() if file is None]
    if absent:
        raise UsageError(f"{index} names {len(names)} files of weights, and {absent[0]} is not in the folder.")
    return [file for file in found.values() if file is not None]


def _with_any_ending(folder: Path, name: str) -> Path | None:
    """Return the file of this name in a folder, or one whose ending differs in case only; None where there is none."""
    if (folder / name).is_file():
        return folder / name
    same = (path for path in listing(folder) if small_ending(path.name) == name and path.is_file())
    return next(same, None)


def read_object(path: Path) -> dict[str, object]:
    """Return the JSON object in a file; raise UsageError that names the file where there is none."""
    with foreign(f"{path} cannot be read as JSON"):
        if not path.exists():
            raise UsageError(f"{path} is not there.")
        content = json.loads(read_regular(path, _LARGEST).decode("utf-8-sig"))
    if not isinstance(content, dict):
        raise UsageError(f"{path} is JSON, but not an object with settings.")
    return content


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield safetensors' reader of a file; raise UsageError, with what the file is instead if that is known.

    In the block, only the reader is to be asked: whatever it raises becomes one error that names the file.
    """
    from safetensors import safe_open

    with foreign(f"{path} cannot be opened"):
        size = path.stat().st_size
        with open_regular(path) as file:
            start = file.read(START)
    other = instead_of_header(start, size)
    if other:
        raise UsageError(f"{path} cannot be read as a safetensors file: it is {other}.")
    with foreign(f"{path} cannot be read as a safetensors file"), safe_open(path, framework="pt") as file:
        yield file


@dataclass(frozen=True)
class Header:
    """What a checkpoint says before its weights are read."""

    shapes: Mapping[str, tuple[int, ...]]
    """Name of each tensor -> its shape."""
    metadata: Mapping[str, str]
    """Facts that its maker wrote."""


def read_header(path: Path) -> Header:
    """Return a file's header; raise UsageError where it is no safetensors file."""
    with opened(path) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict
        return Header(shapes, file.metadata() or {})


def require_floats(files: Sequence[Path], beginnings: tuple[str, ...] = ("",)) -> None:
    """Raise UsageError for a file that is no whole safetensors file, or whose weights are whole numbers without scales.

    Looked at are the weights whose names have one of the `beginnings`.
    """
    for path in files:
        with opened(path) as file:
            names = [name for name in file.keys() if name.startswith(beginnings)]  # noqa: SIM118 - not a dict
            kinds = {name: file.get_slice(name).get_dtype() for name in names}
        kinds = {name: kind for name, kind in kinds.items() if kind != "I8" or not _has_scale(name, kinds)}
        odd = [name for name, kind in kinds.items() if kind not in _FLOATS and not _NOT_WEIGHTS.fullmatch(name)]
        if odd:
            raise UsageError(
                f"{path}: {len(odd)} weights are of type {kinds[odd[0]]}, such as {odd[0]}. Such a quantised model "
                "means something only together with scales and code of its own; name the model as it was before.",
                Setting("base"),
            )


def eight_bit_types(path: Path, beginning: str = "") -> dict[str, torch.dtype]:
    """Return the types of a file's tensors of eight bits by name, of those that have a beginning."""
    with opened(path) as file:
        names = [name for name in file.keys() if name.startswith(beginning)]  # noqa: SIM118 - not a dict
        kinds = {name: _EIGHT_BITS.get(file.get_slice(name).get_dtype()) for name in names}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _has_scale(name: str, names: Collection[str]) -> bool:
    stem, _, leaf = name.rpartition(".")
    return leaf == "weight" and any(f"{stem}.{scale}" in names for scale in SCALES)
