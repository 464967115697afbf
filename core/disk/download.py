"""Files from the network: whole and of the right hash, or not at all."""

import errno
import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from ..errors import OFF, Setting, UsageError
from ..progress import SILENT, Progress
from .files import open_regular

_BLOCK = 1 << 20
"""Bytes that are read at once; how far a download is, is said after each."""
_TIMEOUT = 30.0
"""Seconds of silence after which a server is given up: slow lines pause for less."""
_DISK = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def fetch(url: str, path: Path, sha256: str, offline: bool = False, progress: Progress = SILENT) -> Path:
    """Return `path` once it holds the file at `url` whose SHA-256 starts with `sha256` (hex).

    A file that is already there is used if its hash is right, and fetched again if not. What an interrupted
    download left is continued. The file appears under its name only when it is whole. Raise UsageError, with
    what to do, for a wrong hash, no network, no disk space, or a missing file offline.
    """
    path = Path(path)
    if path.is_file() and file_sha256(path).startswith(sha256):
        return path
    if offline:
        state = "has the wrong SHA-256" if path.is_file() else "is not there"
        raise UsageError(
            f"{path} {state}, and nothing may be fetched: allow it, or put the file of {url} there.",
            Setting("offline", OFF),
        )
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, partial, sha256, progress)
        partial.replace(path)
    except UsageError:
        raise
    except Exception as error:  # servers and what stands between may answer anything
        raise UsageError(_explain(url, path, error)) from error
    return path


def file_sha256(path: Path, progress: Progress = SILENT) -> str:
    """Return the SHA-256 of a file as hex; `progress` hears of the bytes."""
    digest, done = hashlib.sha256(), 0
    with open_regular(Path(path)) as file:
        size = os.fstat(file.fileno()).st_size
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress.part(done, size)
    return digest.hexdigest()


def _download(url: str, partial: Path, sha256: str, progress: Progress) -> None:
    """Leave the whole right file in `partial`, or nothing that a later try would stumble over."""
    continued = partial.is_file() and partial.stat().st_size > 0
    _transfer(url, partial, progress)
    found = file_sha256(partial)
    if found.startswith(sha256):
        return
    partial.unlink()
    if not continued:
        raise UsageError(f"{url} has SHA-256 {found}, not {sha256}: it was changed, so it is refused.")
    _download(url, partial, sha256, progress)  # the beginning may have been of another file


def _transfer(url: str, partial: Path, progress: Progress) -> None:
    """Append what is missing to `partial`, or write it anew where the server cannot continue."""
    start = partial.stat().st_size if partial.is_file() else 0
    try:
        response = _open(url, start)
    except urllib.error.HTTPError as error:
        if error.code != 416 or start == 0:  # 416: nothing is left after `start`
            raise
        error.close()
        return
    with response:
        start = start if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        with partial.open("ab" if start else "wb") as file:
            done = _copy(response, file, start, total, progress)
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def _open(url: str, start: int):  # noqa: ANN202
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url} is not a web address.")
    headers = {"User-Agent": "owf", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


def _copy(response, file, done: int, total: int | None, progress: Progress) -> int:
    """Return the bytes in the file after copying the response into it."""
    while block := response.read(_BLOCK):
        file.write(block)
        done += len(block)
        progress.part(done, total)
    return done


def _explain(url: str, path: Path, error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, OSError) and error.errno in _DISK:
        space = error.errno == errno.ENOSPC
        advice = "Free some space there." if space else "Make the folder writable, or set TORCH_HOME to another."
        return f"Cannot write {path}: {error.strerror or reason}. {advice}"
    return f"Cannot fetch {url}: {reason}. Run again to continue, or put the file at {path} by hand."
