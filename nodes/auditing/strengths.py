"""The strengths that a text of a node names."""

import math

from ...core.errors import UsageError
from .audit_inputs import MOST_STRENGTH

STRENGTHS = "0.25, 0.5, 0.75, 1"
_MOST = 50
"""As many points as a curve can show."""


def strengths_from(text: str) -> tuple[float, ...]:
    """Return the strengths that a text names, the weakest first, each once; raise UsageError where it names none."""
    words = [word for word in text.replace("\n", ",").split(",") if word.strip()]
    try:
        found = {float(word) for word in words}
    except ValueError as error:
        raise UsageError(
            f"strengths has {text[:80]!r}: write numbers with commas between, such as {STRENGTHS}."
        ) from error
    if not all(math.isfinite(strength) and abs(strength) <= MOST_STRENGTH for strength in found):
        raise UsageError(f"strengths has {text[:80]!r}: write numbers from -{MOST_STRENGTH:g} to {MOST_STRENGTH:g}.")
    if not 0 < len(found) <= _MOST:
        raise UsageError(f"strengths names {len(found)} strengths: write 1 to {_MOST}, such as {STRENGTHS}.")
    return tuple(sorted(found, key=lambda strength: (abs(strength), strength)))
