"""TOML files of the user: configuration, policies, training runs."""

import sys
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..foreign import foreign
from ..text import inert
from .files import read_regular

_MOST = 10**7
"""Bytes that are read: settings that people write have thousands."""
_LARGEST = 2**63
"""Whole numbers of TOML have 64 bits; Python's reader takes those of any length, arithmetic does not."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; raise UsageError if it is missing or malformed."""
    with foreign(f"{path} cannot be read"):
        text = read_regular(path, _MOST).decode("utf-8-sig")
    return parse_toml(text, str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the content of TOML text; `source` names it in the UsageError for malformed text or numbers too large."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with foreign(f"{source} cannot be read as TOML"):
        content = tomllib.loads(text)
    for key, table in content.items():
        _require_small(table, f"{source}: {inert(key, 80)}")
    return content


def _require_small(value: Any, where: str) -> None:
    """Raise UsageError that names the place where a whole number is larger than TOML has any."""
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise UsageError(f"{where} is a number with more than 64 bits.")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        _require_small(item, where)
