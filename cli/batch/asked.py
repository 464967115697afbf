"""What a run asks of every LoRA, as far as numbers depend on it, so that the same is not measured twice. No torch."""

import argparse
import hashlib
import os
from pathlib import Path

from ...core.adapter.adapter import READING
from ...core.disk.digests import Digests
from ...core.disk.files import scan
from ...core.errors import UsageError
from ...core.foreign import foreign
from ...core.metrics.metric import chosen
from ...core.model.base import choose_base
from ...core.model.settings import checkpoint_folders, configured_bases, configured_parts
from ..arguments.plan_arguments import measured

AUTO = "auto"
"""The base that the LoRA names, where the user has it."""
_PLAIN = (
    "preset", "prompt_form", "dataset", "per_class", "class_prompt", "stages", "loss", "seed", "features",
    "dtype", "device", "offload", "quantize", "vae_tile",
)  # fmt: skip
"""Options that stand for themselves. The policy is none of them: reports are judged anew."""
_WHERE_GIVEN = ("open_clip", "words", "concept")
"""Options that ledgers once lacked: where they are not given, the same is asked as before there were any."""

_SELDOM = ("words", "concept", "decide_early", "clip_skip")
"""Options that count where they are given: what older ledgers asked stays the same question."""


def asked(options: argparse.Namespace, digests: Digests) -> dict[str, object]:
    """Return what is asked, by name: options, contents of the base and images that they name, versions of definitions.

    Raises UsageError for a base or a folder of images that cannot be read.
    """
    parts = _parts(digests)
    metrics = chosen(measured(options))
    return {
        **{name: getattr(options, name) for name in _PLAIN},
        **{name: getattr(options, name) for name in _WHERE_GIVEN if getattr(options, name)},
        "base": _base(options.base, digests),
        "images": None if options.images is None else _images(options.images),
        **({"parts": parts} if parts else {}),
        **({} if options.references is None else {"references": _images(options.references)}),
        "metrics": sorted((metric.name, metric.version) for metric in metrics),
        "reading": READING,
        **{name: getattr(options, name) for name in _SELDOM if getattr(options, name)},
    }


def _base(base: str | None, digests: Digests) -> object:
    """Return what tells the base: its files' contents, its hub id, or the settings that decide it for each LoRA."""
    if base is None or base == AUTO:
        configured = sorted((family, _configured(given, digests)) for family, given in configured_bases().items())
        return base, configured, sorted(map(str, checkpoint_folders() if base else ()))
    choice = choose_base(base, None)
    if choice.kind == "hub":
        return choice.path
    path = Path(choice.path)
    files = [path] if choice.kind == "file" else scan(path, _none).files
    with foreign(f"The base {path} cannot be read"):
        marks = [(os.path.relpath(file, path), digests.sha256(file)) for file in files]
    return hashlib.sha256(repr(marks).encode("utf-8", "backslashreplace")).hexdigest()


def _parts(digests: Digests) -> list[tuple[str, str, object]]:
    """Return family, part and content of the files that the settings name beside transformers."""
    named = [(family, part, file) for family, table in configured_parts().items() for part, file in table.items()]
    return [(family, part, _configured(str(file), digests)) for family, part, file in sorted(named)]


def _configured(base: str, digests: Digests) -> object:
    """Return what tells a base of the settings; its name where it cannot be read, for no LoRA may need it."""
    try:
        return _base(base, digests)
    except UsageError:
        return base


def _images(folder: Path) -> str:
    """Return what tells a folder of images: names, sizes and times, for there may be many thousands."""
    marks = [(os.path.relpath(f, folder), f.stat().st_size, f.stat().st_mtime_ns) for f in scan(folder, _none).files]
    return hashlib.sha256(repr(marks).encode("utf-8", "backslashreplace")).hexdigest()


def _none(folder: Path) -> list[Path]:
    return []
