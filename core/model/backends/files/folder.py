"""A model out of a diffusers folder, every part checked before and after it is loaded."""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from .... import families
from ....disk.files import is_folder, listing, require_files
from ....errors import UsageError
from ....families import Part, Pipeline
from ....foreign import foreign
from ....text import inert
from ...index import MODULAR, index_file
from ..networks import network_named
from ..parts import Parts, SchedulerConfig, dtype_of, in_dtype, require_finite_weights
from .weight_files import STEMS, choose_variant, read_object, require_floats, weight_files

LARGEST = 2**15
"""Largest width in a part's configuration: a Qwen2.5-VL has layers of 18,944, and a window of 32,768 tokens."""
LARGEST_ID = 2**18
"""Largest number of a token, and size of a vocabulary: Stable Diffusion's has 49,408, a Qwen3's 151,936."""
MOST_LAYERS = 64
"""Most layers of a kind: the deepest text encoder has 32. Building each takes time, whatever its width."""
MOST_ITEMS = 64
"""Most items of a list: they are one per level of a UNet, or per label of a classifier."""
MOST_SIDE = 1024
"""Largest side of latents, that of pictures of 8,192 pixels."""


_OTHERS = {
    "StableDiffusionInpaintPipeline": "an inpainting model",
    "StableDiffusionInstructPix2PixPipeline": "a model that edits pictures",
    "StableDiffusionXLInpaintPipeline": "an inpainting model",
    "StableDiffusionXLImg2ImgPipeline": "made to change pictures, as the refiner of Stable Diffusion XL",
    "StableDiffusionXLInstructPix2PixPipeline": "a model that edits pictures",
    "FluxControlPipeline": "a model that follows a depth map or edges",
    "FluxFillPipeline": "an inpainting model",
    "FluxKontextPipeline": "a model that edits pictures",
    "Flux2Pipeline": "FLUX.2-dev, whose text encoder is another than klein's",
    "QwenImageEditPipeline": "a model that edits pictures",
    "QwenImageEditPlusPipeline": "a model that edits pictures",
    "QwenImageEditInpaintPipeline": "a model that edits pictures",
    "QwenImageInpaintPipeline": "a pipeline that fills in pictures",
    "QwenImageImg2ImgPipeline": "a pipeline that changes pictures",
    "QwenImageControlNetPipeline": "a pipeline that follows a ControlNet",
    "QwenImageControlNetInpaintPipeline": "a pipeline that follows a ControlNet",
    "QwenImageLayeredPipeline": "a model that takes pictures apart into layers",
}
"""Pipelines that people take for text-to-image ones -> what they are."""


def load_folder(path: Path, dtype: torch.dtype, ready: Mapping[str, nn.Module] = MappingProxyType({})) -> Parts:
    """Return the parts in a diffusers folder, in `dtype`; safetensors only. Those that are `ready` are not read.

    Raises UsageError that names the file for anything but a whole text-to-image model of a pipeline that is known.
    """
    require_files(path)
    index = read_object(index_file(path))
    pipeline = pipeline_of(index, str(path))
    for part in pipeline.parts:
        require_kind(index, part, pipeline, path)
    for place in (path / name for name in ("scheduler", *(part.name for part in pipeline.parts))):
        if is_folder(place):
            require_files(place)
    scheduler = read_object(path / "scheduler" / "scheduler_config.json")
    for part in pipeline.weighted:
        config = read_object(path / part.name / "config.json")
        require_sane(config, path / part.name / "config.json")
        _require_numbers(config, part, path / part.name / "config.json")
    models: dict[str, Any] = dict(ready)
    for part in pipeline.parts:
        if part.name not in ready:
            load = _load if part.prefix else _load_words
            models[part.name] = load(path, part, dtype)
    parts = Parts(pipeline, models, SchedulerConfig(scheduler), index)
    network_named(pipeline.network).require_fit(parts, str(path))
    return parts


def pipeline_of(index: Mapping[str, Any], path: str) -> Pipeline:
    """Return the pipeline of a folder's index; raise UsageError for one that audits do not run on."""
    kind = str(index.get("_class_name"))
    known = {pipeline.name: pipeline for pipeline in families.pipelines()}
    if kind in known:
        return known[kind]
    what = f", {_OTHERS[kind]}" if kind in _OTHERS else ""
    names = ", ".join(f"{pipeline.title} ({pipeline.name})" for pipeline in known.values())
    raise UsageError(f"{path} is a {kind}{what}; audits run on text-to-image models of {names} so far.")


def require_kind(index: Mapping[str, Any], part: Part, pipeline: Pipeline, path: Path) -> None:
    """Raise UsageError for a part whose class is none that audits ask."""
    kind, file = index.get(part.name), index_file(path)
    length = 3 if file.name == MODULAR else 2  # where it was loaded from comes third
    if not isinstance(kind, list) or len(kind) != length or kind[0] != part.library or kind[1] not in part.classes:
        raise UsageError(
            f"{file}: the {part.name} is {kind!r}; a {pipeline.name} that audits run on has {part.library}'s "
            f"{part.classes[0]} there."
        )
    if length == 3 and not is_folder(path / part.name):
        raise UsageError(
            f"{file}: the {part.name} is to come from another place than this folder, and a base is read whole: put it "
            f"into {path / part.name}, or save the pipeline with all of its parts."
        )


def require_sane(config: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError for numbers that no model has: building what they say would take all memory, or forever."""
    inside: list[tuple[str, Any]] = list(config.items())
    while inside:
        key, value = inside.pop()
        values = value if isinstance(value, list) else [value]
        if len(values) > MOST_ITEMS:
            raise UsageError(f"{path}: {inert(key)} lists {len(values)} items, and no model of this kind has so many.")
        most = _most(key)
        for number in values:
            if isinstance(number, Mapping):  # what reads text and what sees have settings of their own in some
                inside += number.items()
            elif isinstance(number, list):
                inside.append((key, number))
            elif isinstance(number, (int, float)) and not abs(number) <= most:
                raise UsageError(f"{path}: {inert(key)} is {number}, and no model of this kind has more than {most}.")


def _require_numbers(config: Mapping[str, Any], part: Part, path: Path) -> None:
    """Raise UsageError for a text where a part of diffusers' has a number: it would fail when first asked.

    transformers checks its own settings.
    """
    if part.library != "diffusers":
        return
    kind = class_of(part)
    for name, parameter in inspect.signature(kind).parameters.items():
        if type(parameter.default) in (int, float) and isinstance(config.get(name), str):
            said = inert(config[name], 80)
            raise UsageError(f"{path}: {name} is {said!r}, and a {kind.__name__} has a number there.")
    groups = config.get("norm_num_groups")
    if isinstance(groups, (int, float)) and groups < 1:
        raise UsageError(f"{path}: norm_num_groups is {groups!r}, and layers are normalised in one group or more.")


_NO_SIZES = ("max_position_embeddings", "rope_theta", "max_window_layers")
"""Settings of language models that say how places are turned into angles and what sees how far: nothing larger."""
_LARGEST_PLACE = 2**24
"""Largest of those: a Qwen3's rope_theta is 1,000,000."""


def _most(key: str) -> int:
    if key == "sample_size":
        return MOST_SIDE
    if key in _NO_SIZES:
        return _LARGEST_PLACE
    if "layers" in key or key == "depth":
        return MOST_LAYERS
    return LARGEST_ID if key == "vocab_size" or key.endswith("_id") else LARGEST


def _load_words(path: Path, part: Part, dtype: torch.dtype) -> Any:
    return load_tokenizer(path / part.name, part)


def _load(path: Path, part: Part, dtype: torch.dtype) -> nn.Module:
    """Return a part with all its weights from its files, and all of its files' weights."""
    folder = path / part.name
    dtype = dtype_of(part, read_object(folder / "config.json"), dtype)
    stem = STEMS[part.library]
    variant = choose_variant([p.name for p in folder.iterdir()], stem, dtype, str(folder))
    files = weight_files(folder, stem, variant)
    require_floats(files)
    with _small_endings(folder, files) as readable, foreign(f"{folder} cannot be loaded"):
        model, seen = class_of(part).from_pretrained(
            str(readable.parent),
            subfolder=part.name,
            variant=variant,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **(dtype_option(dtype) if part.library == "diffusers" else {}),
        )
    _require_same_weights(
        folder, part, [str(k) for k in seen["missing_keys"]], [str(k) for k in seen["unexpected_keys"]]
    )
    require_finite_weights(model, dtype, str(folder))
    return in_dtype(model, dtype)


@contextmanager
def _small_endings(folder: Path, files: Sequence[Path]) -> Iterator[Path]:
    """Return the part's folder, or one like it whose endings are in small letters: the libraries know no others."""
    if all(file.suffix == ".safetensors" for file in files):
        yield folder
        return
    with TemporaryDirectory() as place:
        part = Path(place) / folder.name
        part.mkdir()
        there = listing(folder)
        links = {file.stem + file.suffix.lower(): file for file in there} | {file.name: file for file in there}
        for link, file in links.items():
            (part / link).symlink_to(file.absolute())
        yield part


def class_of(part: Part) -> Any:
    """Return the library's class of a part: the first that this release of it has; raise UsageError without any."""
    library = importlib.import_module(part.library)
    found = next(filter(None, (getattr(library, name, None) for name in part.classes)), None)
    if found is None:
        raise UsageError(f"This release of {part.library} has no {part.classes[0]}; a newer one is needed.")
    return found


_BESIDE = ("position_ids", "vision_model.", "visual_projection.", "text_projection.", "logit_scale", "lm_head.")
"""Parts of names of weights that a text encoder's file may hold besides its own: those of the whole CLIP, and the layer
with which a language model writes."""


def _require_same_weights(folder: Path, part: Part, missing: list[str], unexpected: list[str]) -> None:
    """Raise UsageError where the libraries filled in random numbers, or left weights out: they only log both."""
    if missing:
        raise UsageError(
            f"{folder}: {len(missing)} weights that its config.json asks for are not in its file under names known "
            f"here, such as {min(missing)}. The file is of another model or layout than its configuration says, or was "
            "saved by a release of transformers or diffusers that is newer than the one installed."
        )
    beside = _BESIDE if part.library == "transformers" else ()
    unknown = [name for name in unexpected if not any(other in name for other in beside)]
    if unknown:
        raise UsageError(
            f"{folder}: its file holds {len(unknown)} weights that its config.json has no place for, such as "
            f"{min(unknown)}: without them it is another model."
        )


def load_tokenizer(folder: Path, part: Part, settings: Mapping[str, Any] | None = None) -> Any:
    """Return the tokenizer in a folder, with settings in place of its own where they are given.

    Raises UsageError where a file of it is not there or cannot be read.
    """
    for name in ("vocab.json", "merges.txt"):
        if not (folder / name).is_file() and not (folder / "tokenizer.json").is_file():
            raise UsageError(f"{folder / name} is not there, and no tokenizer.json either: nothing can read prompts.")
    with foreign(f"{folder} cannot be loaded as a tokenizer"):
        return class_of(part).from_pretrained(str(folder), local_files_only=True, **(settings or {}))


def empty_part(part: Part, folder: Path, device: str = "meta") -> nn.Module:
    """Return a part that a folder's configuration describes, its weights on the meta device, or anything on another.

    Raises UsageError where the configuration is not there, cannot be read, or says what no model has.
    """
    config, kind = read_object(folder / "config.json"), class_of(part)
    require_sane(config, folder / "config.json")
    _require_numbers(config, part, folder / "config.json")
    with foreign(f"{folder} cannot be read as a {part.title}"), torch.device(device):
        if part.library == "diffusers":
            return kind.from_config(config).eval()
        return kind(kind.config_class.from_pretrained(str(folder))).eval()


def dtype_option(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """Return the loading option for the type of the weights, which diffusers renamed."""
    from diffusers.utils import deprecation_utils

    renamed = hasattr(deprecation_utils, "_TORCH_DTYPE_DEPRECATION_MESSAGE")
    return {"dtype" if renamed else "torch_dtype": dtype}
