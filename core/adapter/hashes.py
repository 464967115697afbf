"""The hashes under which people know a LoRA file."""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 4 * 1024 * 1024
_V1_START, _V1_LENGTH = 0x100000, 0x10000


@dataclass(frozen=True)
class Hashes:
    """Hashes of one file; the short ones are what sharing sites and web UIs print."""

    sha256: str
    """sha256 of the whole file, 64 hexadecimal digits."""
    autov1: str
    """First 8 digits of the sha256 of bytes 0x100000 to 0x110000 (of nothing, for small files)."""
    autov2: str
    """First 10 digits of `sha256`."""
    autov3: str | None
    """First 12 digits of the sha256 of the bytes after the header; None for files without one."""
    weights: str | None
    """sha256 of the bytes after the header, which kohya writes as `sshs_model_hash`."""


def hash_file(path: Path, data_start: int | None) -> Hashes:
    """Return the hashes of a file whose tensor data starts at byte `data_start` (None: no header).

    The two long hashes run on two threads, because each alone takes a second per gigabyte.
    """
    weights: list[str] = []
    worker = None
    if data_start is not None:
        worker = threading.Thread(target=lambda: weights.append(_sha256(path, data_start)))
        worker.start()
    whole = _sha256(path, 0)
    if worker is not None:
        worker.join()
    rest = weights[0] if weights else None
    return Hashes(whole, _autov1(path), whole[:10], rest[:12] if rest else None, rest)


def _sha256(path: Path, start: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        buffer = bytearray(_CHUNK)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


def _autov1(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(_V1_START)
        return hashlib.sha256(file.read(_V1_LENGTH)).hexdigest()[:8]
