"""Records checked against their own type hints: JSON from a stranger may hold anything anywhere. No torch."""

import dataclasses
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_HUGE = 2**64
"""JSON knows numbers of any length, arithmetic does not."""


def require_types(value: Any, hint: Any, where: str) -> None:
    """Raise TypeError, naming the place, unless a value is of a type hint through and through.

    Known are records, dict, tuple of one kind, unions, Any and plain types. An int is a float unless it is huge, and
    a bool is no number.
    """
    if dataclasses.is_dataclass(hint):
        _require(isinstance(value, hint), value, where)  # pyright: ignore[reportArgumentType]
        for name, kind in get_type_hints(hint).items():
            require_types(getattr(value, name), kind, f"{where}.{name}")
    elif get_origin(hint) is dict:
        _require(isinstance(value, dict), value, where)
        for key, item in value.items():
            require_types(key, get_args(hint)[0], where)
            require_types(item, get_args(hint)[1], f"{where}.{key}")
    elif get_origin(hint) is tuple:
        _require(isinstance(value, tuple), value, where)
        for place, item in enumerate(value):
            require_types(item, get_args(hint)[0], f"{where}[{place}]")
    else:
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        if type(value) in kinds and dataclasses.is_dataclass(value):
            require_types(value, type(value), where)
        _require(any(_is(value, kind) for kind in kinds), value, where)


def _is(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind in (None, NoneType):
        return value is None
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int):
        return kind in (int, float) and abs(value) < _HUGE
    return isinstance(value, kind)


def _require(holds: bool, value: Any, where: str) -> None:
    if not holds:
        raise TypeError(f"{where} is {str(value)[:60]!r}, a {type(value).__name__}")
