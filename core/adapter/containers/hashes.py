"""The hashes under which people know a LoRA file, and one for LoRAs of several files."""

import hashlib
import mmap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...disk.digests import LEGACY_LENGTH, LEGACY_START


@dataclass(frozen=True)
class Hashes:
    """Hashes of one LoRA; the short ones are what sharing sites and web UIs print of files."""

    sha256: str
    """sha256 of the whole file, 64 hexadecimal digits; of several files, that over the name and sha256 of each."""
    autov1: str | None
    """First 8 digits of the sha256 of bytes 0x100000 to 0x110000 (of nothing, for small files); None for folders."""
    autov2: str
    """First 10 digits of `sha256`."""
    autov3: str | None
    """First 12 digits of the sha256 of the bytes after the header; None for folders and files without one."""
    weights: str | None
    """sha256 of the bytes after the header, which kohya writes as `sshs_model_hash`; None as above."""


def hash_all(files: Sequence[Path], data_start: int | None) -> Hashes:
    """Return the hashes of a LoRA that these files make up: weights and, where there are any, configurations.

    A configuration counts because it holds the alphas: another one is another LoRA.
    """
    if len(files) == 1:
        return hash_file(files[0], data_start)
    sha = hashlib.sha256()
    for file in files:
        sha.update(f"{file.parent.name}/{file.name} {hash_file(file, None).sha256}\n".encode(errors="surrogateescape"))
    return Hashes(sha.hexdigest(), None, sha.hexdigest()[:10], None, None)


def hash_file(path: Path, data_start: int | None) -> Hashes:
    """Return the hashes of a file whose tensor data starts at byte `data_start` (None: no header).

    The two long hashes run on two threads, because each alone takes a second per gigabyte.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        with ThreadPoolExecutor(1) as pool:
            rest = None if data_start is None else pool.submit(_sha256, view[data_start:])
            whole = _sha256(view[:])
            weights = None if rest is None else rest.result()
        autov1 = _sha256(view[LEGACY_START : LEGACY_START + LEGACY_LENGTH])[:8]
        view.release()
    return Hashes(whole, autov1, whole[:10], weights[:12] if weights else None, weights)


def _sha256(view: memoryview) -> str:
    """Return the sha256 of the bytes, which are released afterwards so that their map can be closed."""
    with view:
        return hashlib.sha256(view).hexdigest()
