"""Files of the hub of Hugging Face: from its cache, fetched, or put by hand where it is said; checked before use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...disk.download import file_sha256
from ...errors import OFF, Setting, UsageError
from ...foreign import Advice, foreign

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class HubFiles:
    """Some files of a repository at one revision."""

    repository: str
    """Its id, such as "openai/clip-vit-base-patch32"."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File -> SHA-256 of its content; "" where nobody states one."""
    revision: str = "main"
    """Commit, or branch."""

    def address(self, name: str) -> str:
        """Return where a file lies."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{name}"


def hub_folder(wanted: HubFiles, offline: bool) -> Path:
    """Return a folder that holds the files, each with the SHA-256 that is stated, by us or by the hub.

    They are looked for where people put them by hand (`by_hand`), then in the hub's cache, then at the hub. Raises
    UsageError, with what to do, where one is missing or was changed.
    """
    folder = by_hand(wanted.repository)
    if not all((folder / name).is_file() for name in wanted.files):
        folder = _cached(wanted, offline, folder)
    for name, stated in wanted.files.items():
        _require_whole(folder / name, stated, wanted.address(name))
    return folder


def by_hand(repository: str) -> Path:
    """Return where files of a repository may be put: beside what torch fetches, so that one folder can be copied."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / repository.replace("/", "_")


def _cached(wanted: HubFiles, offline: bool, folder: Path) -> Path:
    from huggingface_hub import hf_hub_download

    found: set[Path] = set()
    # All at once: who carries files to a machine without a network would go once for each otherwise.
    addresses = [wanted.address(name) for name in wanted.files if not (folder / name).is_file()]
    for name in wanted.files:
        advice = Advice(f"Put what is at {' and '.join(addresses)} into {folder}.")
        said = f"{name} of {wanted.repository} cannot be fetched"
        if offline:
            said = f"{name} of {wanted.repository} is not in the cache of the hub, and nothing may be fetched"
            advice = Advice(f"{advice.text} Or allow it.", (Setting("offline", OFF),))
        with foreign(said, advice):
            path = hf_hub_download(wanted.repository, name, revision=wanted.revision, local_files_only=offline)
        found.add(Path(path).parents[name.count("/")])
    if len(found) != 1:  # a branch that moved between two fetches
        raise UsageError(f"{wanted.repository} changed while it was fetched: run again.")
    return found.pop()


def _require_whole(path: Path, stated: str, address: str) -> None:
    """Raise UsageError unless a file is what was stated; the hub's cache calls large ones by their SHA-256."""
    blob = path.resolve().name
    expected = stated or (blob if path.is_symlink() and _SHA256.fullmatch(blob) else "")
    if expected and file_sha256(path) != expected:
        raise UsageError(f"{path} is not the file of {address}: its SHA-256 is another. Delete it and run again.")
