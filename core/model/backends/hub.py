"""A base of the Hugging Face hub as a folder on this machine: what is cached, or just the files that are needed."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ...errors import UsageError
from ...foreign import Advice, foreign
from .folder import KINDS, WEIGHTED
from .weight_files import STEMS, choose_variant, variant_files, weight_files

_SETTINGS = ("model_index.json", "scheduler/*.json", "tokenizer/*", "unet/config.json", "vae/config.json",
             "text_encoder/config.json")  # fmt: skip
"""Files besides the weights."""


def cached_folder(repository: str) -> Path | None:
    """Return the folder of a repository in the local hub cache, None unless all that a base needs is there."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except Exception:  # not there, in whatever way this release of the hub's client says so
        return None
    try:
        for part in WEIGHTED:
            names = [path.name for path in (folder / part).glob("*")]
            stem = STEMS[KINDS[part].library]
            weight_files(folder / part, stem, choose_variant(names, stem, torch.float32, part))
    except UsageError:
        return None
    return folder if (folder / "model_index.json").is_file() else None


def fetched_folder(repository: str, dtype: torch.dtype, otherwise: Advice) -> Path:
    """Return the folder of a repository after fetching what a base in `dtype` needs; `otherwise` ends the errors."""
    from huggingface_hub import HfApi, snapshot_download

    with foreign(f"{repository} could not be fetched from the hub", otherwise):
        names = HfApi().list_repo_files(repository)
    wanted = [*_SETTINGS, *(file for part in WEIGHTED for file in _weights(names, repository, part, dtype))]
    with foreign(f"{repository} could not be fetched from the hub", otherwise):
        return Path(snapshot_download(repository, allow_patterns=wanted))


def _weights(names: Sequence[str], repository: str, part: str, dtype: torch.dtype) -> list[str]:
    """Return the files of a part's weights: those of one variant, whole or in shards."""
    here = [name.removeprefix(f"{part}/") for name in names if name.startswith(f"{part}/")]
    stem = STEMS[KINDS[part].library]
    variant = choose_variant(here, stem, dtype, f"{repository}/{part}")
    return [f"{part}/{name}" for name in variant_files(here, stem, variant)]
