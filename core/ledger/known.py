"""What is known of a LoRA without measuring it: by the ledger here, by a note beside the file, by the file itself.

Only the first was measured here. The others are what somebody says, and whoever passes a LoRA on can write them. No
torch.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk.files import read_regular
from ..text import inert
from ..verdict.verdict import DRIFT, INVALID, PASS, WORST_FIRST
from .row import COMPLETE, REFUSED, UNMEASURABLE, Row

LEDGER, NOTE, FILE = "an audit on this computer", "the note beside the file", "the file itself"
"""Who says it, most to be trusted first."""
_STRONGEST = 1e6
"""No strength is greater, and NaN is none."""
_MOST = 2**20
"""Bytes of a note that are read: one of a hundred strengths has a tenth of that."""


@dataclass(frozen=True)
class Known:
    """A verdict on a LoRA at a strength."""

    verdict: str
    strength: float
    by: str
    """`LEDGER`, `NOTE` or `FILE`."""
    base: str = ""
    """Name of the base on which it was audited, where that is said."""
    reason: str = ""
    unjudged: tuple[str, ...] = ()
    """Metrics that its PASS says nothing of; see `left_unjudged`. Of a claim nobody knows."""


def known_at(found: Iterable[Known], strength: float) -> Known | None:
    """Return what is known at a strength, by whoever is to be trusted most; None where that says nothing.

    A change grows with its strength: what passes at one passes at a weaker one of the same sign, and what drifts drifts
    at a stronger one. Of several that say something, a PASS in part counts last, then one at this very strength first,
    then the worst.
    """
    told = [each for each in found if _says(each, strength)]
    ranks = (LEDGER, NOTE, FILE)
    order = lambda each: (  # noqa: E731
        ranks.index(each.by),
        bool(each.unjudged),
        each.strength != strength,
        WORST_FIRST.index(each.verdict),
    )
    return min(told, key=order, default=None)


def _says(known: Known, strength: float) -> bool:
    if known.verdict == INVALID or known.strength == strength:
        return True
    same_sign = known.strength * strength > 0
    if known.verdict == PASS:
        return same_sign and abs(strength) < abs(known.strength)
    return known.verdict == DRIFT and same_sign and abs(strength) > abs(known.strength)


def by_ledger(rows: Iterable[Row]) -> list[Known]:
    """Return what rows of one LoRA say; those that failed for another reason than the file's say nothing of it."""
    ended = (row for row in rows if row.status in (COMPLETE, UNMEASURABLE, REFUSED) and row.verdict in WORST_FIRST)
    return [Known(row.verdict, row.strength, LEDGER, row.base, row.reason, row.unjudged) for row in ended]


def note_beside(lora: Path) -> Path:
    """Return where the note beside a file would lie: `x.owf.json` beside `x.safetensors`."""
    return lora.with_name(f"{lora.stem}.owf.json")


def by_note(lora: Path, sha256: str) -> list[Known]:
    """Return what the note beside a file says; nothing where it is about another content."""
    try:
        data = json.loads(read_regular(note_beside(lora), _MOST))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(data, dict) or not sha256 or data.get("sha256") != sha256:
        return []
    audits = data.get("audits")
    found = (_known(each, NOTE) for each in (audits if isinstance(audits, list) else [data]))
    return [known for known in found if known is not None]


def by_file(metadata: Mapping[str, str]) -> list[Known]:
    """Return what a training wrote into its LoRA, which it audits at strength 1."""
    said = {"verdict": metadata.get("owf.verdict"), "strength": 1.0}
    known = _known(said, FILE)
    return [] if known is None else [known]


def _known(data: Any, by: str) -> Known | None:
    """Return one audit of a note; None for what is none."""
    if not isinstance(data, dict) or data.get("verdict") not in WORST_FIRST:
        return None
    strength, reasons = data.get("strength"), data.get("reasons")
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not abs(strength) <= _STRONGEST:
        return None
    first = next(iter(reasons), "") if isinstance(reasons, list) else ""
    return Known(data["verdict"], float(strength), by, inert(str(data.get("base") or ""), 80), inert(str(first), 300))
