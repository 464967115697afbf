"""Tensor names of every known dialect, turned into one spelling: component, flattened path, slot.

A flattened path is the module's dotted name in diffusers or transformers with underscores for dots, without
the `text_model` level that transformers 5 dropped. All dialects meet there, and no two modules of a real
model share one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..algorithms import all_algorithms
from ..algorithms.algorithm import Ending
from . import ldm_names
from .prefixes import IN_TRANSFORMER, OTHER_ENCODER, PREFIXES, TEXT, TRANSFORMER, UNET, WHOLE_PATHS

DENOISERS = {"unet": "U-Net", "transformer": "transformer"}
"""Components that predict -> what people call them; of the others, text encoders and the like, prompts are read."""

# Endings of tensors that may accompany any algorithm, or belong to none that is read.
_OTHER_ENDINGS: tuple[Ending, ...] = (
    (".alpha", "alpha", ""),
    (".lora.alpha", "alpha", "diffusers"),
    ("_lora.alpha", "alpha", "attn_procs"),
    (".dora_scale", "dora", ""),
    (".magnitude", "magnitude", ""),
    (".lora_magnitude_vector", "magnitude", "peft"),
    (".lora_magnitude_vector.weight", "magnitude", "peft"),
    (".lora_B.bias", "up_bias", "peft"),
    (".q_layer.weight", "tlora_q", ""),
    (".p_layer.weight", "tlora_p", ""),
    (".lambda_layer", "tlora_lambda", ""),
    (".weight", "weight", ""),
    (".bias", "bias", ""),
)
_ENDINGS = sorted(  # of several that fit the longest counts
    (*_OTHER_ENDINGS, *(ending for algorithm in all_algorithms() for ending in algorithm.endings)),
    key=lambda ending: -len(ending[0]),
)
# Levels that wrappers put around a model without changing what is inside: PEFT's, compiled and distributed modules.
_WRAPPERS = re.compile(r"(?:(?:base_model[._]model|_orig_mod|_fsdp_wrapped_module|module)[._])+")
# PEFT's containers of parameters by adapter: a raw state dict has the adapter's name after them.
_CONTAINERS = ("lora_magnitude_vector", *(name for known in all_algorithms() for name in known.peft_parameters))
_BY_ADAPTER = re.compile(rf"(.+\.({'|'.join(_CONTAINERS)}))(?:\.(?!(?:weight|bias)$)([^.]+))?(\.weight|\.bias)?")
_NAMED_ALONE = re.compile("lora_magnitude_vector|lora_embedding_[AB]")
"""Containers that may have the name where the factors lost it: writers that strip names by pattern leave these."""
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]+")
# Longer ones stand first.
_BEGINNING = re.compile("|".join([*(re.escape(prefix) for prefix, _, _ in PREFIXES), OTHER_ENCODER]))
_BY_PREFIX = {prefix: (home, dialect) for prefix, home, dialect in PREFIXES}
_CUT = "sformer_blocks_"
"""How names of FLUX.2 begin that some exports cut short; diffusers reads them so."""
_OLD_TEXT = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}


@dataclass(frozen=True)
class Place:
    """Where one tensor of a LoRA file belongs."""

    component: str
    """`unet`, `transformer`, `text_encoder`, `text_encoder_2`, `text_encoder_3` or `text_conditioner`."""
    path: str
    """Flattened path of the module inside the component."""
    slot: str
    """Which factor of the module's change the tensor is."""
    stem: str
    """The tensor's name without its ending: the module as the file spells it."""
    dialect: str
    """Who writes such names: `kohya`, `sgm`, `diffusers`, `peft` ..."""


def place(name: str, component: str | None = None) -> Place | None:
    """Return where the tensor called `name` belongs, or None for names of no known dialect.

    `component` settles it for dialects that do not say, such as a PEFT folder called `text_encoder`.
    """
    ending = _ending(_without_adapter_name(name))
    if ending is None:
        return None
    stem, slot, by_ending = ending
    located = _locate(stem, component) if _PLAIN.fullmatch(stem) else None
    if located is None:
        return None
    home, path, by_prefix = located
    old_attention = by_ending == "attn_procs" and home.startswith("text_encoder")
    path = _old_text(path) if old_attention else path
    return Place(home, path, slot, stem, _dialect(by_prefix, by_ending))


def adapter_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names of the adapters that PEFT's tensors of these names belong to; "" is one that has none."""
    owners: set[tuple[bool, str]] = set()
    for found in filter(None, map(_BY_ADAPTER.fullmatch, names)):
        owners.add((_NAMED_ALONE.fullmatch(found[2]) is not None, found[3] or ""))
    factors = {name for alone, name in owners if not alone}
    others = {name for alone, name in owners if alone}
    return frozenset(others if factors == {""} and "" not in others and others else factors | others)


def dotted(stem: str) -> str:
    """Return the module of a dotted name inside its component, without the `text_model` level."""
    return stem[len(_prefix(stem)[0]) :].removeprefix("text_model.")


def is_typical(component: str, path: str) -> bool:
    """Return whether only denoisers of this kind, `unet` or `transformer`, have modules with such paths."""
    return path.startswith(UNET if component == "unet" else TRANSFORMER)


def flatten(component: str, dotted: str) -> str:
    """Return the flattened path of a live module called `dotted` inside `component`."""
    flat = dotted.replace(".", "_")
    return _encoder_path(flat) if component.startswith("text_encoder") else flat


def _encoder_path(flat: str) -> str:
    """Return a path in a text encoder without the levels around its layers: CLIP's, or those of a language model."""
    return flat.removeprefix("text_model_").removeprefix("model_").removeprefix("language_model_")


def _without_adapter_name(name: str) -> str:
    found = _BY_ADAPTER.fullmatch(name)
    return f"{found[1]}{found[4] or ''}" if found else name


def _ending(name: str) -> tuple[str, str, str] | None:
    for ending, slot, dialect in _ENDINGS:
        if name.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)], slot, dialect
    return None


def _locate(stem: str, component: str | None) -> tuple[str, str, str] | None:
    """Return component, flattened path and dialect of a module; None for one that is in no known place."""
    prefix, home, dialect = _prefix(stem)
    flat = stem[len(prefix) :].replace(".", "_").replace("_processor_", "_")
    flat = flat.lstrip("_")  # some programs write an underscore more behind lora_unet_
    if flat.startswith(_CUT):
        flat = f"tran{flat}"
    where = home or component or _home(flat)
    if where is None or not flat:
        return None
    if where.startswith("text_encoder"):
        return where, _encoder_path(flat), dialect
    if where == "text_conditioner":
        return where, flat, dialect
    if flat.startswith(IN_TRANSFORMER):
        return "text_conditioner", flat.removeprefix(IN_TRANSFORMER), dialect
    if home == "transformer":
        return home, flat, dialect
    if ldm_names.is_ldm(flat):
        return "unet", _whole(ldm_names.to_diffusers(flat)), {"kohya": "sgm", "diffusers": "omi"}.get(dialect, dialect)
    if flat.startswith(UNET):
        return "unet", _whole(flat), dialect
    return "transformer", flat, dialect


def _prefix(stem: str) -> tuple[str, str, str]:
    """Return the text before the module's own name, and the component and dialect that it says; "" where it does not.

    Wrappers may stand before the component, after it, or both.
    """
    outer = _wrappers_end(stem, 0)
    found = _BEGINNING.match(stem, outer)
    if found is None:
        return stem[:outer], "", "peft folder" if outer else ""
    home, dialect = _BY_PREFIX.get(found[0], ("text_encoder", "comfy"))
    return stem[: _wrappers_end(stem, found.end())], home, dialect


def _wrappers_end(stem: str, start: int) -> int:
    found = _WRAPPERS.match(stem, start)
    return found.end() if found else start


def _home(flat: str) -> str | None:
    if flat.startswith(TEXT):
        return "text_encoder"
    if flat.startswith(UNET) or ldm_names.is_ldm(flat):
        return "unet"
    return "transformer" if flat.startswith(TRANSFORMER) or flat in WHOLE_PATHS else None


def _whole(path: str) -> str:
    """Return the path with the old attention output layer given its number in the module list."""
    return f"{path}_0" if path.endswith(("_attn1_to_out", "_attn2_to_out")) else path


def _old_text(path: str) -> str:
    for old, new in _OLD_TEXT.items():
        if path.endswith(f"_self_attn_{old}"):
            return path.removesuffix(old) + new
    return path


def _dialect(by_prefix: str, by_ending: str) -> str:
    if by_ending in ("attn_procs", "custom_diffusion") or not by_prefix:
        return by_ending or "bare"
    if by_prefix == "diffusers":
        return by_ending or "diffusers names"
    return by_prefix
