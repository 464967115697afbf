"""A base of the Hugging Face hub as a folder on this machine: what is cached, or just the files that are needed."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ....errors import UsageError
from ....families import Part, Pipeline
from ....foreign import Advice, foreign
from ...index import MODULAR, PLAIN, index_file
from ..parts import dtype_of
from .folder import pipeline_of
from .weight_files import STEMS, choose_variant, read_object, variant_files, weight_files


def cached_settings(repository: str) -> Path | None:
    """Return the folder of a repository in the local hub cache, with weights or without; None unless it is a base's."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except Exception:  # not there, in whatever way this release of the hub's client says so
        return None
    return folder if index_file(folder).is_file() else None


def cached_folder(repository: str) -> Path | None:
    """Return the folder of a repository in the local hub cache, None unless all that a base needs is there."""
    folder = cached_settings(repository)
    if folder is None:
        return None
    pipeline = pipeline_of(read_object(index_file(folder)), repository)
    try:
        for part in pipeline.weighted:
            names = [path.name for path in (folder / part.name).glob("*")]
            stem = STEMS[part.library]
            weight_files(folder / part.name, stem, choose_variant(names, stem, torch.float32, part.name))
    except UsageError:
        return None
    return folder


def fetched_folder(repository: str, dtype: torch.dtype, otherwise: Advice) -> Path:
    """Return the folder of a repository after fetching what a base in `dtype` needs; `otherwise` ends the errors."""
    from huggingface_hub import HfApi, snapshot_download

    with foreign(f"{repository} could not be fetched from the hub", otherwise):
        names = HfApi().list_repo_files(repository)
        index = index_file(Path(snapshot_download(repository, allow_patterns=[PLAIN, MODULAR])))
    wanted = _wanted(names, repository, pipeline_of(read_object(index), repository), dtype)
    with foreign(f"{repository} could not be fetched from the hub", otherwise):
        return Path(snapshot_download(repository, allow_patterns=wanted))


def _wanted(names: Sequence[str], repository: str, pipeline: Pipeline, dtype: torch.dtype) -> list[str]:
    """Return patterns of the files that a pipeline is loaded from."""
    wanted = [*(name for name in (PLAIN, MODULAR) if name in names), "scheduler/*.json"]
    for part in pipeline.parts:
        if part.prefix:
            wanted += [f"{part.name}/config.json", *_weights(names, repository, part, dtype)]
        else:
            wanted.append(f"{part.name}/*")
    return wanted


def _weights(names: Sequence[str], repository: str, part: Part, dtype: torch.dtype) -> list[str]:
    """Return the files of a part's weights: those of one variant, whole or in shards."""
    here = [name.removeprefix(f"{part.name}/") for name in names if name.startswith(f"{part.name}/")]
    stem = STEMS[part.library]
    variant = choose_variant(here, stem, dtype_of(part, {}, dtype), f"{repository}/{part.name}")
    return [f"{part.name}/{name}" for name in variant_files(here, stem, variant)]
