"""A transformer in a file under the names of its original code; the rest of its base lies in a diffusers folder.

People have transformers of many gigabytes so: one for each variant, and text encoders and VAE once. A file may hold
these too, as ComfyUI's whole checkpoints do, or they lie in files beside it; then settings and tokenizers alone come
from the folder.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .... import families
from ....errors import Setting, UsageError
from ....families import Layers, LivePart, Part, Pipeline, flat
from ....foreign import foreign
from ....text import inert
from ..kept_as_stored import Stored, is_kept, joined, keep_as_stored, keep_shapes, stand_in
from ..parts import dtype_of, is_kept_wide, require_finite_weights
from .folder import empty_part
from .models_folder import part_beside
from .part_file import load_part, load_part_of
from .scaled import Scales, is_beside, require_known_formats
from .text_encoders import layers_as_stored
from .weight_files import Header, eight_bit_types, opened, read_object, require_floats

_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "net.")
"""What programs put before the names of a transformer's weights."""
_LEAVES = {"weight": "weight", "bias": "bias", "scale": "weight"}
"""What the original code calls the parameters of its layers -> what diffusers does."""
_MOST = 0.8
"""Least share of a file's tensors in blocks with such names, before it is taken for a transformer: trainers and
quantisers leave some of their own."""
_BESIDE = re.compile(r"norm_final\.weight|pos_embedder\.(seq|dim_(spatial|temporal)_range)")
"""What files of Z-Image and of Anima hold besides, and nothing computes with; diffusers passes it over too."""
_BESIDE_PARTS = ("logit_scale",)
"""What ComfyUI leaves beside text encoders, and nothing computes with."""


PartFiles = Mapping[str, Path]
"""Name of a part of a base -> the file that its weights are in, its own or one that holds others too."""


def transformer_pipeline(header: Header) -> Pipeline | None:
    """Return the pipeline whose transformer a file holds, alone or with other parts; None where it is another file."""
    held = {pipeline.name: _names(header.shapes, pipeline).values() for pipeline in families.pipelines()}
    known = {pipeline.name: _original(held[pipeline.name], pipeline) for pipeline in families.pipelines()}
    # Of those with blocks of like names, the one that knows most of them.
    pipeline = max(families.pipelines(), key=lambda pipeline: len(known[pipeline.name]))
    names, original = held[pipeline.name], known[pipeline.name]
    blocks = {name.split(".")[0] for name in original}
    inside = sum(name.split(".")[0] in blocks for name in names)  # some have one name in both codes
    return pipeline if original and inside >= _MOST * len(names) else None


def _original(names: Iterable[str], pipeline: Pipeline) -> list[str]:
    """Return the names that the original code gives to weights of a pipeline's transformer, and diffusers does not."""
    layers = Layers(pipeline.layers)
    return [name for name in names if layers.parts(_split(name)[0])]


def _of_transformer(names: Collection[str]) -> list[str]:
    """Return the names of the transformer's weights: all, unless some have what whole checkpoints put before them."""
    return [name for name in names if name.startswith(_PREFIXES[0])] or list(names)


def _names(names: Collection[str], pipeline: Pipeline, inner: Part | None = None) -> dict[str, str]:
    """Return the names of the transformer's weights in a file -> their names in its code.

    What this code counts to the transformer, and diffusers does not, is left out; where it is `inner`, all else is.
    """
    plain = {name: _plain(name) for name in _of_transformer(names)}
    if inner is not None:
        return {name: own.removeprefix(inner.prefix) for name, own in plain.items() if own.startswith(inner.prefix)}
    others = tuple(part.prefix for part in pipeline.parts if part.is_inner)
    return {name: own for name, own in plain.items() if not own.startswith(others)}


def files_of_parts(path: Path, pipeline: Pipeline, family: str, root: Path, named: Mapping[str, Path]) -> PartFiles:
    """Return the files of the parts of a base whose transformer is in the file `path`.

    The others are in the same file, in one that is `named`, in the diffusers folder `root` - these are left out - or
    in one beside it, where ComfyUI keeps them. Raises UsageError where none, or no single one, is found; `family` is
    what the user's settings call it.
    """
    denoiser, *others = pipeline.weighted
    with opened(path) as file:
        names = frozenset(file.keys())
    inner = [part for part in others if part.is_inner]
    for part in inner:
        if not _names(names, pipeline, part):
            raise UsageError(
                f"{path} has the layers of a {pipeline.title} and no {part.title} ({part.prefix}): it is of another "
                "model.",
                Setting("base"),
            )
    rest = names - frozenset(_of_transformer(names))
    found = {denoiser.name: path, **{part.name: path for part in inner}}
    for part in (part for part in others if not part.is_inner):
        if any(name.startswith(part.prefix) for name in rest):
            found[part.name] = path
            continue
        own = named.get(part.name) or part_beside(path, part, family, root)
        if own is not None:
            found[part.name] = own
    return found


def load_parts(files: PartFiles, pipeline: Pipeline, root: Path, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Return the parts that lie in files by name, built by the configurations in a diffusers folder of their base.

    Raises UsageError unless the weights are exactly those that the configurations ask for.
    """
    denoiser, *others = pipeline.weighted
    path = files[denoiser.name]
    require_known_formats(path)
    require_floats([path])
    inner, outer = [part for part in others if part.is_inner], [part for part in others if not part.is_inner]
    _require_parts(path, pipeline, [part for part in outer if files.get(part.name) == path])
    found = {part.name: _load(path, pipeline, part, root, dtype) for part in (denoiser, *inner)}
    for part in (part for part in outer if part.name in files):
        place, file = root / part.name, files[part.name]
        load = load_part_of if file == path else load_part
        found[part.name] = load(file, part, place, dtype_of(part, read_object(place / "config.json"), dtype))
    return found


def keep_shapes_of(files: PartFiles, pipeline: Pipeline, root: Path, models: Mapping[str, nn.Module]) -> None:
    """Let parts without weights keep in eight bits what those that lie in files would, by the files' headers.

    Raises UsageError for a transformer that is not the one of the folder `root`, by the names of its weights.
    """
    path = files[pipeline.weighted[0].name]
    for part in (part for part in pipeline.weighted if part.name in files):
        file, model = files[part.name], models[part.name]
        if part.is_inner or part is pipeline.weighted[0]:
            require_names(path, pipeline, part, root, model)
            keep_shapes(model, _layers_as_stored(path, pipeline, part, model))
        elif part.library == "transformers":
            keep_shapes(model, layers_as_stored(file, part.prefix if file == path else "", model))


def _layers_as_stored(path: Path, pipeline: Pipeline, part: Part, model: nn.Module) -> dict[str, torch.dtype]:
    """Return the weights of a transformer, or what its code counts to it, that stay as a file has them: their types."""
    eight, live = eight_bit_types(path), {flat(name): name for name in model.state_dict()}
    found: dict[str, torch.dtype] = {}
    layers = Layers(() if part.is_inner else pipeline.layers)
    with opened(path) as file:
        names = _names(file.keys(), pipeline, part if part.is_inner else None)
    for name, own in names.items():
        for key, _ in _places(own, layers, live):
            if key is not None and name in eight and is_kept(model, key):
                found[key] = eight[name]
    return found


def _require_parts(path: Path, pipeline: Pipeline, held: Sequence[Part]) -> None:
    """Raise UsageError for a file with weights of other parts than its transformer and those that are `held`."""
    with opened(path) as file:
        names = frozenset(file.keys())
    rest = names - frozenset(_of_transformer(names))
    strange = [n for n in rest if not n.startswith(tuple(part.prefix for part in held)) and not is_beside(n)]
    strange = [name for name in strange if name.rpartition(".")[2] not in _BESIDE_PARTS]
    if strange:
        raise UsageError(
            f"{path}: {len(strange)} weights belong to no part of a {pipeline.title} that is read from a file, such as "
            f"{inert(min(strange), 120)}."
        )


def _load(path: Path, pipeline: Pipeline, part: Part, root: Path, dtype: torch.dtype) -> nn.Module:
    """Return the transformer, or what its code counts to it.

    The latter is small, and not built as shapes alone: it may compute what no file holds, such as angles of places.
    """
    model = empty_part(part, root / part.name, "cpu" if part.is_inner else "meta")
    require_names(path, pipeline, part, root, model)
    with opened(path) as file:
        names = _names(file.keys(), pipeline, part if part.is_inner else None)
    held, kept = _placed(path, names, Layers(() if part.is_inner else pipeline.layers), model, dtype)
    with foreign(f"{path} cannot be loaded as a {part.title}"):
        model.load_state_dict(held, strict=True, assign=True)
    keep_as_stored(model, kept)
    require_finite_weights(model, dtype, str(path))
    return model.eval()


def require_names(path: Path, pipeline: Pipeline, part: Part, root: Path, model: nn.Module) -> None:
    """Raise UsageError unless a file's names are those of the transformer that `root` describes.

    Or those of what its code counts to it.
    """
    layers, live = Layers(() if part.is_inner else pipeline.layers), {flat(name): name for name in model.state_dict()}
    with opened(path) as file:
        names = _names(file.keys(), pipeline, part if part.is_inner else None)
    found = {name: dict(_places(own, layers, live)) for name, own in names.items() if not _is_beside(name, own)}
    strange = [name for name, places in found.items() if None in places]
    if strange:
        raise UsageError(f"{path}: {inert(min(strange), 120)} has no place in the transformer of its base.")
    missing = model.state_dict().keys() - {key for places in found.values() for key in places}
    if missing:
        settings = root / part.name / "config.json"
        raise UsageError(
            f"{path}: {len(missing)} weights that {settings} asks for are not in the file, such as {min(missing)}. The "
            "file is of another model than that folder: name one of its own kind under [bases], or its own folder as "
            "the base.",
            Setting("base"),
        )


def _is_beside(name: str, own: str) -> bool:
    """Return whether a tensor only says how another one is stored."""
    return bool(_BESIDE.fullmatch(own)) or is_beside(name)


def _places(name: str, layers: Layers, live: Mapping[str, str]) -> list[tuple[str | None, LivePart]]:
    """Return which parameters a tensor of a file is, by its name in the original code; None for one that is none."""
    stem, leaf = _split(name)
    parts = layers.parts(stem) or (LivePart(stem, None),)
    return [(live.get(f"{part.path}_{leaf}" if leaf else part.path), part) for part in parts]


def _placed(
    path: Path, names: Mapping[str, str], layers: Layers, model: Any, dtype: torch.dtype
) -> tuple[dict[str, torch.Tensor], dict[str, Stored]]:
    """Return weights of a file by the names of a model's parameters, cut and turned as it has them.

    `names` are those in the file -> those in the original code of the model. Second come the weights that stay as they
    are stored, in whose place among the first are zeros.
    """
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    live = {flat(name): name for name in shapes}
    pieces: dict[str, dict[int, Stored]] = {}
    with opened(path) as file:
        scales = Scales(path, file)
        for name, own in names.items():
            if _is_beside(name, own):
                continue
            for key, half, value in _parts(path, own, scales.stored(name), layers, live, shapes):
                if half in pieces.setdefault(key, {}):
                    raise UsageError(f"{path} holds {key} twice, once as {name}.")
                pieces[key][half] = value
    held: dict[str, torch.Tensor] = {}
    kept: dict[str, Stored] = {}
    for key, halves in pieces.items():
        parts, kind = [halves[half] for half in sorted(halves)], torch.float32 if is_kept_wide(model, key) else dtype
        stored = joined(parts)
        if stored is not None and is_kept(model, key):
            held[key], kept[key] = stand_in(stored, kind), stored
        else:
            held[key] = _shaped(torch.cat([part.widened(kind) for part in parts]), shapes[key])
        if tuple(held[key].shape) != shapes[key]:
            raise UsageError(f"{path}: {key} has shape {list(held[key].shape)}, and the base's {list(shapes[key])}.")
    return held, kept


def _shaped(value: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a vector as the table of as many numbers that diffusers makes of it, anything else as it is."""
    return value.view(shape) if value.ndim == 1 and value.numel() == math.prod(shape) else value


def _parts(
    path: Path,
    name: str,
    value: Stored,
    layers: Layers,
    live: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> Iterator[tuple[str, int, Stored]]:
    """Yield which parameters a tensor of a file is: name, half (0 for all), and its rows."""
    known = [(key, part) for key, part in _places(name, layers, live) if key is not None]
    rows = [shapes[key][0] // (1 if part.half is None else 2) for key, part in known]
    if len(known) > 1 and sum(rows) != value.rows:
        raise UsageError(f"{path}: {name} has {value.rows} rows, and the layers that it is here {sum(rows)}.")
    cut = value.split(rows) if len(known) > 1 else (value,)
    for (key, part), piece in zip(known, cut, strict=True):
        yield key, part.half or 0, piece


def _plain(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)


def _split(name: str) -> tuple[str, str]:
    """Return the flattened path of a layer and what its parameter is called; that is empty for one without a layer."""
    stem, _, leaf = name.rpartition(".")
    if leaf in _LEAVES and stem:
        return flat(stem), _LEAVES[leaf]
    return flat(name), ""
