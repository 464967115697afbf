"""The text encoders of single-file checkpoints, under transformers' names or OpenCLIP's, and their tokenizers."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ....errors import UsageError
from ....families import Part
from ....foreign import foreign
from ..kept_as_stored import Stored, is_kept, joined, keep_as_stored, stand_in
from ..parts import in_dtype, require_finite_weights
from .folder import class_of, empty_part, load_tokenizer
from .scaled import stored
from .weight_files import eight_bit_types, opened, read_object

_LEVEL = "text_model."
"""What the names of a text encoder's weights begin with, but for those of the first anime models."""
_AROUND = ("model.", "language_model.")
"""Levels around the layers of a language model: of one that can write, and of one that can see. One that is only asked
for its states lacks the first, and files of ComfyUI's the second."""
_BESIDE = re.compile(r".*(position_ids|logit_scale|attn_mask)|lm_head\.weight")
"""What trainers and mergers leave under a part's prefix, and the layer that writes: no picture depends on them."""
_PROJECTION = "text_projection"
"""The layer after the pooled state, which only text encoders that are asked for it have."""


def load_text_encoder(
    path: Path, part: Part, config: Path, dtype: torch.dtype, *, as_stored: bool = False
) -> torch.nn.Module:
    """Return a text encoder of transformers' from its weights in a file, read with a folder of its configuration.

    Linear layers whose weights lie in eight bits there may keep them `as_stored`.
    """
    kind = class_of(part)
    held, kept = _held(path, part, dtype, _linear_layers(empty_part(part, config)) if as_stored else {})
    weights = dict(_of_open_clip(held)) if part.is_open_clip else held
    if kind.__name__.startswith("CLIP") and not part.is_open_clip:
        weights = {_LEVEL + name.removeprefix(_LEVEL): value for name, value in held.items()}
    if not kind.__name__.endswith("WithProjection"):
        weights = {name: value for name, value in weights.items() if _PROJECTION not in name}
    with foreign(f"{path}: its {part.title} cannot be loaded"):
        model = kind.from_pretrained(None, config=kind.config_class.from_pretrained(str(config)), state_dict=weights)
    _require_same_names(weights, model, path, part)
    held = {_bare(name) for name in weights}
    for name, weight in model.named_parameters():
        if _bare(name) not in held:  # no picture depends on it, but what a base is known by does
            weight.data.zero_()
    model = in_dtype(model, dtype)
    keep_as_stored(model, kept)
    require_finite_weights(model, dtype, f"{path}, {part.title}")
    return model


def _linear_layers(model: torch.nn.Module) -> dict[str, str]:
    """Return the weights of a text encoder that may stay as they are stored: names without what files lack -> names."""
    return {_bare(name): name for name, _ in model.named_parameters() if is_kept(model, name)}


def layers_as_stored(path: Path, prefix: str, empty: torch.nn.Module) -> dict[str, torch.dtype]:
    """Return the weights of a text encoder without weights that stay as a file has them, by its header: their types."""
    linear = _linear_layers(empty)
    eight = {name[len(prefix) :]: kind for name, kind in eight_bit_types(path, prefix).items()}
    return {
        linear[bare]: kind
        for name, kind in eight.items()
        if (bare := _bare(name)) in linear and not _BESIDE.fullmatch(name)
    }


def _held(
    path: Path, part: Part, dtype: torch.dtype, linear: Mapping[str, str]
) -> tuple[dict[str, torch.Tensor], dict[str, Stored]]:
    """Return a text encoder's weights in a file by their names there, and those that stay as stored by its own.

    In the place of the latter are zeros among the first.
    """
    held: dict[str, torch.Tensor] = {}
    kept: dict[str, Stored] = {}
    with opened(path) as file:
        for full, weight in stored(path, file, part.prefix):
            name = full[len(part.prefix) :]
            if _BESIDE.fullmatch(name):
                continue
            stays = joined([weight]) if _bare(name) in linear else None
            if stays is not None:
                kept[linear[_bare(name)]] = stays
            held[name] = weight.widened(dtype) if stays is None else stand_in(stays, dtype)
    return held, kept


def holds_text_encoder(shapes: Mapping[str, tuple[int, ...] | None], empty: torch.nn.Module) -> bool:
    """Return whether a file's tensors are those of a text encoder without weights; a shape may not be known (None)."""
    takes_projection = type(empty).__name__.endswith("WithProjection")
    names = [n for n in shapes if not _BESIDE.fullmatch(n) and (takes_projection or _PROJECTION not in n)]
    known = {_bare(name): shapes[name] for name in names}
    asked = {_bare(name): tuple(value.shape) for name, value in empty.state_dict().items()}
    own = {_bare(name) for name, _ in empty.named_parameters() if not _BESIDE.fullmatch(_bare(name))}
    return (
        len(known) == len(names)
        and own <= known.keys() <= asked.keys()
        and all(shape is None or shape == asked[name] for name, shape in known.items())
    )


def _bare(name: str) -> str:
    name = name.removeprefix(_LEVEL)
    for level in _AROUND:
        name = name.removeprefix(level)
    return name


def _require_same_names(weights: Collection[str], model: torch.nn.Module, path: Path, part: Part) -> None:
    """Raise UsageError unless a file has every weight of a model, of those that share memory one, and no others."""
    held, asked = {_bare(name) for name in weights}, {_bare(name) for name in model.state_dict()}
    own = {_bare(name) for name, _ in model.named_parameters()}
    missing = {name for name in own - held if not _BESIDE.fullmatch(name)}
    if missing:
        raise UsageError(
            f"{path}: {len(missing)} weights of the {part.title} are not in the file, such as {min(missing)}."
        )
    if len(held) < len(weights):
        raise UsageError(f"{path} holds {len(weights) - len(held)} weights of the {part.title} twice, under two names.")
    if held - asked:
        raise UsageError(
            f"{path}: {len(held - asked)} weights of the {part.title} have no place in it, such as {min(held - asked)}."
        )


_OUTER = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
"""OpenCLIP's names -> those of transformers, outside of the layers."""
_INNER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
"""The same within a layer."""
_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)")
_TOGETHER = re.compile(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)")


def _of_open_clip(held: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield names and weights as transformers has them.

    One that is not known, or cannot be cut or turned, stays as it is and has no place there.
    """
    for name, value in held.items():
        if name == _PROJECTION and value.ndim == 2:  # a matrix from the right there, a layer here
            yield f"{_PROJECTION}.weight", value.T.contiguous()
        elif name in _OUTER:
            yield _LEVEL + _OUTER[name], value
        elif (found := _TOGETHER.fullmatch(name)) and value.ndim:
            for layer, part in zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=False):
                yield f"{_LEVEL}encoder.layers.{found[1]}.self_attn.{layer}.{found[2]}", part.contiguous()
        elif (found := _LAYER.fullmatch(name)) and found[2] in _INNER:
            yield f"{_LEVEL}encoder.layers.{found[1]}.{_INNER[found[2]]}.{found[3]}", value
        else:
            yield name, value


_VOCABULARY = Path(__file__).resolve().parents[3] / "families" / "configs" / "sd15" / "tokenizer"
"""Where CLIP's vocabulary ships: it is the same in all of its sizes, and is here once."""


_CLIP = Part("tokenizer", "transformers", ("CLIPTokenizer",))


def shipped_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a family's configuration: its own settings, with the one vocabulary if it has none."""
    if (folder / "vocab.json").is_file():
        return load_tokenizer(folder, _CLIP)
    settings = read_object(folder / "tokenizer_config.json")
    settings.pop("tokenizer_class", None)
    return load_tokenizer(_VOCABULARY, _CLIP, settings)
