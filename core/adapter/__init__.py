"""LoRA files: identify, read, validate, apply, switch, write. Importing this pulls no torch."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adapter import Adapter as Adapter
    from .apply.match_report import MatchReport as MatchReport
    from .apply.match_report import match as match
    from .apply.switch import Switch as Switch
    from .apply.switch import applied as applied
    from .apply.switch import prepare as prepare
    from .apply.switch import stacked as stacked
    from .reader import read_adapter as read_adapter
    from .write import LoraCard as LoraCard
    from .write import LoraFactors as LoraFactors
    from .write import LoraPair as LoraPair
    from .write import write_lora as write_lora

_HOMES = {
    "Adapter": "adapter",
    "MatchReport": "apply.match_report",
    "match": "apply.match_report",
    "read_adapter": "reader",
    "Switch": "apply.switch",
    "applied": "apply.switch",
    "prepare": "apply.switch",
    "stacked": "apply.switch",
    "LoraCard": "write",
    "LoraFactors": "write",
    "LoraPair": "write",
    "write_lora": "write",
}
__all__ = [
    "Adapter",
    "LoraCard",
    "LoraFactors",
    "LoraPair",
    "MatchReport",
    "Switch",
    "applied",
    "match",
    "prepare",
    "read_adapter",
    "stacked",
    "write_lora",
]


def __getattr__(name: str) -> object:
    """Import the module that holds a public name the first time the name is used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
