"""What plans have in common: their values are checked, and what they ask is hashed. No torch."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Setting, UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check(holds: bool, message: str, *settings: Setting) -> None:
    """Raise UsageError with a message, to which a full stop is added, where a condition does not hold."""
    if not holds:
        raise UsageError(f"{message}.", *settings)


def asked(plan: "DataclassInstance", later: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan without those of `later` that have the values which it names.

    These are fields that plans of the same version once lacked. At such values they ask what those plans asked without
    saying it, so that the same questions keep their digest.
    """
    return {name: value for name, value in dataclasses.asdict(plan).items() if later.get(name, ...) != value}


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON gives them back."""
    return json.loads(json.dumps(fields))


def digest(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of fields."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
