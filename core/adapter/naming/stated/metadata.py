"""What the header's text says: trigger words, resolution, training facts. All of it may be a lie."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ....prediction_types import V, prediction_named
from ....text import inert

MAX_JSON = 1024 * 1024
"""Characters of JSON that are parsed: the values take up to twenty times as much memory."""
MAX_WORDS = 8
"""Words that may call a concept: trainers list thousands of tags, and the likely ones come first."""
_FREQUENT = 0.95
"""Share of the most frequent tag's images that a tag needs: a trigger is left out of a few captions at most."""
_SIZE = re.compile(r"(\d{2,5})\D{1,4}(\d{2,5})", re.ASCII)
_ONE_SIDE = re.compile(r"\s*\(?\s*(\d{2,5})\s*,?\s*\)?\s*", re.ASCII)


@dataclass(frozen=True)
class Training:
    """How a LoRA was trained, by its own account; empty where it does not say."""

    title: str = ""
    """Name given by its author."""
    base_model: str = ""
    """Name of the base checkpoint."""
    base_hash: str = ""
    """sha256 or short hash of the base checkpoint."""
    base_legacy_hash: str = ""
    """Eight digits by which older programs know the base checkpoint."""
    base_version: str = ""
    """Family by its own account, such as `sd_v1-5`."""
    architecture: str = ""
    """`modelspec.architecture`."""
    network: str = ""
    """Python module of the network class."""
    network_args: str = ""
    """Arguments of the network class, as JSON text."""
    steps: str = ""
    """Optimiser steps."""
    epochs: str = ""
    """Passes over the images."""
    images: str = ""
    """Number of training images."""
    batch_size: str = ""
    """Images per step."""
    learning_rate: str = ""
    """Learning rate."""
    optimizer: str = ""
    """Optimiser and its arguments."""
    seed: str = ""
    """Random seed."""
    clip_skip: str = ""
    """Which text-encoder layer was used."""
    date: str = ""
    """When it was made."""
    trainer: str = ""
    """Program that wrote the file."""


_SOURCES: dict[str, tuple[str, ...]] = {
    "title": ("modelspec.title", "ss_output_name"),
    "base_model": (
        "ss_sd_model_name",
        "ss_base_model_name",
        "modelspec.base_model",
        "base_model",
        "base_model_name_or_path",
    ),
    "base_hash": ("ss_new_sd_model_hash", "ss_sd_model_hash", "modelspec.base_model_hash", "base_model_hash"),
    "base_legacy_hash": ("ss_sd_model_hash",),
    "base_version": ("ss_base_model_version",),
    "architecture": ("modelspec.architecture",),
    "network": ("ss_network_module",),
    "network_args": ("ss_network_args",),
    "steps": ("ss_steps", "ss_max_train_steps"),
    "epochs": ("ss_num_epochs", "ss_epoch"),
    "images": ("ss_num_train_images",),
    "batch_size": ("ss_total_batch_size", "ss_batch_size_per_device"),
    "learning_rate": ("ss_learning_rate", "ss_unet_lr"),
    "optimizer": ("ss_optimizer",),
    "seed": ("ss_seed",),
    "clip_skip": ("ss_clip_skip",),
    "date": ("modelspec.date", "ss_training_finished_at", "ss_training_started_at"),
    "trainer": ("modelspec.author", "ot_branch", "software"),
}


def training(metadata: Mapping[str, str]) -> Training:
    """Return the training facts, each on one line and at most 200 characters."""
    return Training(**{field: _first(metadata, keys) for field, keys in _SOURCES.items()})


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return up to eight words that probably call the concept, most certain first.

    In this order: `modelspec.trigger_phrase`; tags on nearly every image of a training folder; the name
    of the output file. Nothing that is not text of the expected kind is used.
    """
    words = [_first(metadata, ("modelspec.trigger_phrase",)), *_frequent_tags(metadata)]
    words = list(dict.fromkeys(word for word in words if word))
    return tuple(words[:MAX_WORDS]) or tuple(filter(None, [_first(metadata, ("ss_output_name",))]))


def resolution(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return (width, height) in pixels from `modelspec.resolution`, `ss_resolution` or the largest bucket."""
    for key in ("modelspec.resolution", "ss_resolution"):
        text = metadata.get(key, "")[:100]
        if found := _SIZE.search(text):
            return int(found[1]), int(found[2])
        if found := _ONE_SIDE.fullmatch(text):
            return int(found[1]), int(found[1])
    return _largest_bucket(metadata)


def prediction_type(metadata: Mapping[str, str]) -> str | None:
    """Return `epsilon` or `v_prediction` where the metadata names one, else None."""
    stated = prediction_named(metadata.get("modelspec.prediction_type", ""))
    is_v = metadata.get("ss_v_parameterization", "").strip().lower() in ("true", "1")
    return stated or (V if is_v else None)


def rank_stabilised(metadata: Mapping[str, str]) -> bool:
    """Return whether LyCORIS trained with alpha / sqrt(rank), by the arguments that kohya's trainer wrote down."""
    arguments = parsed(metadata, "ss_network_args")
    if not isinstance(arguments, dict) or not metadata.get("ss_network_module", "").startswith("lycoris"):
        return False
    return str(arguments.get("rs_lora")).lower() in ("true", "1", "yes")


def parsed(metadata: Mapping[str, str], key: str) -> object:
    """Return the JSON value of a metadata text; None for anything that is not JSON, too long or too deep."""
    text = metadata.get(key, "")
    if not 0 < len(text) <= MAX_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(metadata: Mapping[str, str], keys: tuple[str, ...]) -> str:
    values = (inert(metadata.get(key, "")).strip() for key in keys)
    return next((value for value in values if value and value != "None"), "")


_MOST_IMAGES = 2**53
"""Counts from here on are no counts, and do not fit into a float."""


def _frequent_tags(metadata: Mapping[str, str]) -> list[str]:
    folders = parsed(metadata, "ss_tag_frequency")
    if not isinstance(folders, dict):
        return []
    return [tag for counts in list(folders.values())[:50] for tag in _folder_tags(counts)]


def _folder_tags(counts: object) -> list[str]:
    """Return the tags that nearly every image of one folder has, most frequent first."""
    if not isinstance(counts, dict):
        return []
    usable = [(tag, count) for tag, count in counts.items() if type(count) is int and 0 < count < _MOST_IMAGES]
    usable.sort(key=lambda pair: -pair[1])
    enough = _FREQUENT * usable[0][1] if usable else 0
    return [inert(tag, 60).strip() for tag, count in usable[:MAX_WORDS] if count >= enough]


def _largest_bucket(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    info = parsed(metadata, "ss_bucket_info")
    buckets = info.get("buckets") if isinstance(info, dict) else None
    if not isinstance(buckets, dict):
        return None
    sizes = [bucket.get("resolution") for bucket in buckets.values() if isinstance(bucket, dict)]
    pairs = [pair for pair in map(_pair, sizes) if pair is not None]
    return max(pairs, key=lambda pair: pair[0] * pair[1], default=None)


def _pair(value: object) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    width, height = value
    sound = all(type(side) is int and 0 < side < 100_000 for side in value)
    return (width, height) if sound else None
