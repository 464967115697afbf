"""TOML files of the user: configuration, policies, training runs."""

import sys
from pathlib import Path
from typing import Any

from ..foreign import foreign
from .files import read_regular

_MOST = 10**7
"""Bytes that are read: settings that people write have thousands."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; raise UsageError if it is missing or malformed."""
    with foreign(f"{path} cannot be read"):
        text = read_regular(path, _MOST).decode("utf-8-sig")
    return parse_toml(text, str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the content of TOML text; `source` names it in the UsageError for malformed text."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with foreign(f"{source} cannot be read as TOML"):
        return tomllib.loads(text)
