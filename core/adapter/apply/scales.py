"""What metadata say of the scale of modules, where the modules do not have it."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from ...text import inert
from ..module import AdapterModule
from ..naming.stated.metadata import parsed, rank_stabilised

_ALPHAS = ("ss_network_alpha", "lora_alpha", "network_alpha")
"""Where trainers write down the alpha of all modules."""
_ARGUMENTS = "ss_network_args"
_OF_CONV = "conv_alpha"
_OF_PEFT = "lora_adapter_metadata"
_BY_BLOCK = ("block_alphas", "conv_block_alphas")
"""Arguments that give blocks alphas of their own: what is said of all modules is then not meant for them."""
_ROOT = r"(?:rs_?lora|rank_?stabili[sz]ed(?:_lora)?)"
_BY_ROOT = re.compile(rf"(?:\w+[_.])?{_ROOT}", re.IGNORECASE)
"""How settings are called by which alpha is divided by the root of the rank."""
_NAMES_ROOT = re.compile(_ROOT, re.IGNORECASE)
"""What a text that has such a setting holds. It begins with nothing that repeats: long texts would take years."""
_CLOSE = 1e-2
"""Alphas may be in bfloat16, which has two to three digits."""


def about_scales(modules: Sequence[AdapterModule]) -> Iterator[str]:
    """Yield what metadata say of alpha and rank-stabilisation that holds for no module: which is right is unknown.

    One module that agrees is enough, since trainers may scale others in ways of their own. An alpha in the tensors is
    what every program follows, so that a plain one in the metadata speaks only where there is none.
    """
    for source in dict.fromkeys(module.source for module in modules):
        scaled = [m for m in modules if m.source is source and m.algorithm.alpha_scales and m.outline.rank]
        alphas, setting = stated_alphas(source.metadata), _setting_by_root(source.metadata)
        if not scaled or _agree(scaled, alphas, setting, source.metadata):
            continue
        said = [*(f"{name} {alpha:g}" for name, alpha in alphas.items()), *([inert(setting, 60)] if setting else [])]
        yield f"the metadata say {' and '.join(said)}, but no module is scaled so: {_read(scaled[0])}"


def _agree(
    scaled: Sequence[AdapterModule], alphas: Mapping[str, float], setting: str, metadata: Mapping[str, str]
) -> bool:
    """Return whether a module is scaled as is stated, or nothing is stated that could be compared."""
    if setting and not alphas:  # LyCORIS' own alphas have the root in them; those of others are taken as they are
        return rank_stabilised(metadata) or any(_is(m, m.alpha or float(m.outline.rank or 1), 0.5) for m in scaled)
    if not setting and any(module.alpha is not None for module in scaled):
        return True
    power = 0.5 if setting else 1.0
    return not alphas or any(_is(module, alpha, power) for module in scaled for alpha in alphas.values())


def _is(module: AdapterModule, alpha: float, power: float) -> bool:
    """Return whether a module's scale is alpha divided by that power of its rank."""
    return math.isclose(module.scale, alpha / float(module.outline.rank or 1) ** power, rel_tol=_CLOSE)


def _read(module: AdapterModule) -> str:
    alpha = "no alpha" if module.alpha is None else f"alpha {module.alpha:g}"
    return f"{inert(module.stem, 80)} has {alpha} and rank {module.outline.rank}, read as scale {module.scale:g}"


def stated_alphas(metadata: Mapping[str, str]) -> dict[str, float]:
    """Return the alphas that are stated for all modules, or all convolutions, by what they are called."""
    arguments = _table(metadata, _ARGUMENTS)
    if any(arguments.get(name) for name in _BY_BLOCK):
        return {}
    stated = {name: _number(metadata.get(name)) for name in _ALPHAS} | {_OF_CONV: _number(arguments.get(_OF_CONV))}
    return {name: alpha for name, alpha in stated.items() if alpha}


def _setting_by_root(metadata: Mapping[str, str]) -> str:
    """Return the name of a setting that is on, in the metadata or in a table in it; "" without one.

    That of diffusers' configuration is followed where it is read, and belongs to components.
    """
    for name, text in metadata.items():
        if _BY_ROOT.fullmatch(name) and _is_on(text):
            return name
        table = _table(metadata, name) if name != _OF_PEFT and _NAMES_ROOT.search(text) else {}
        found = next((key for key, value in table.items() if _BY_ROOT.fullmatch(key) and _is_on(value)), "")
        if found:
            return found
    return ""


def _table(metadata: Mapping[str, str], name: str) -> dict[str, object]:
    found = parsed(metadata, name)
    return found if isinstance(found, dict) else {}


def _is_on(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes")


def _number(value: object) -> float:
    """Return a stated number, 0 where it is none."""
    try:
        number = float(str(value)[:40])
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
