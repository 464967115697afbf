"""What tells a LoRA from every other one, found out without opening it. No torch."""

import hashlib
from pathlib import Path

from ..disk.digests import Digests, mark
from ..disk.files import is_folder, read_regular
from .containers.lora_folder import CONFIG, WEIGHTS, config_beside, weights_of

_MOST = 2**24
"""Bytes of a configuration: those that are read have a million at most."""


def content_digest(path: Path, digests: Digests) -> str:
    """Return a digest of a LoRA's weights, and of the configurations beside them; of one file alone its SHA-256.

    Raises OSError or UsageError where something cannot be read. The digests of large files are remembered.
    """
    if not is_folder(path) and _config(path) is None:
        return digests.sha256(path)
    whole = hashlib.sha256()
    for file in _weights(path):
        _add(whole, file, digests.sha256(file))
        config = _config(file)
        if config is not None:
            _add(whole, config, hashlib.sha256(read_regular(config, _MOST)).hexdigest())
    return whole.hexdigest()


def content_mark(path: Path) -> str:
    """Return what stays the same as long as the content that `content_digest` is of does, at the cost of a look.

    Raises OSError or UsageError as that does.
    """
    files = [file for weights in _weights(path) for file in (weights, _config(weights)) if file is not None]
    return "\n".join(map(mark, files))


def _weights(path: Path) -> list[Path]:
    return [file for file, _ in weights_of(path)] if is_folder(path) else [path]


def _config(file: Path) -> Path | None:
    """Return the configuration that may belong to a file; a folder of thousands is not listed for each of them."""
    if file.name.lower() in WEIGHTS:
        return config_beside(file)
    exact = file.parent / CONFIG
    return exact if exact.is_file() else None


def _add(whole: "hashlib._Hash", file: Path, sha256: str) -> None:
    whole.update(f"{file.parent.name}/{file.name} {sha256}\n".encode(errors="surrogateescape"))
