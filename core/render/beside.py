"""What lies beside a LoRA once it was audited, where programs that manage models look for it. No torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk.files import is_folder, read_regular, write_bytes, write_text
from ..ledger.row import Number, numbers, worst
from ..text import inert
from ..verdict.report import Report
from .thumbnail import pair_picture

VERSION = 1
"""Version of the note's layout, which docs/batch.md describes."""
NOTE, PREVIEW = "note", "preview"
KINDS = (NOTE, PREVIEW)
"""What may be left beside a LoRA: what its audits came to, and a picture for programs that show one."""
_MOST = 20
"""Reasons that a note repeats; the report has all."""
_SIDE = 384
"""Pixels of each picture of a preview: cards of model managers are about as large."""
_PICTURES = tuple(f"{dot}{kind}" for dot in (".preview.", ".") for kind in ("png", "jpg", "jpeg", "webp", "gif"))
"""Endings under which such programs look for the picture of a model."""


@dataclass(frozen=True)
class Said:
    """What one audit of a LoRA came to."""

    strength: float
    verdict: str
    reasons: tuple[str, ...]
    """Of the verdict, or why there is no report."""
    report: Report | None = None
    folder: Path | None = None
    """Where the report and its pictures lie."""


def headline(audits: Sequence[Said]) -> Said:
    """Return the audit that speaks for a LoRA: the one at the strength nearest to 1, at which most are used."""
    return min(audits, key=lambda said: abs(said.strength - 1.0))


def write_note(lora: Path, sha256: str, audits: Sequence[Said]) -> Path:
    """Return the path of the note, `x.owf.json` beside `x.safetensors` or the folder `x`, written anew.

    Raises OSError where the folder cannot be written.
    """
    path = _stem(lora).with_name(f"{_stem(lora).name}.owf.json")
    first = headline(audits)
    data = {
        "version": VERSION,
        "sha256": sha256,
        "verdict": first.verdict,
        "strength": first.strength,
        "audits": [_audit(said) for said in sorted(audits, key=lambda said: said.strength)],
    }
    text = json.dumps(data, indent=1) + "\n"
    if not _holds(path, text):  # every run over a folder comes by, and mostly nothing is new
        write_text(path, text)
    return path


def write_preview(lora: Path, audits: Sequence[Said]) -> Path | None:
    """Return the path of `x.preview.png`, the most changed pair; None where `x` has a picture, or there is no pair.

    A picture that is there is somebody's and stays. Raises OSError where the folder cannot be written.
    """
    said, stem = headline(audits), _stem(lora)
    if any(stem.with_name(stem.name + ending).exists() for ending in _PICTURES):
        return None
    if said.report is None or said.folder is None:
        return None
    content = pair_picture(said.report, said.folder, _SIDE, "PNG")
    path = stem.with_name(f"{stem.name}.preview.png")
    if content:
        write_bytes(path, content)
    return path if content else None


def _holds(path: Path, text: str) -> bool:
    try:
        return read_regular(path, len(text)).decode() == text
    except (OSError, ValueError):
        return False


def _stem(lora: Path) -> Path:
    """Return the path that names beside a LoRA begin with: a folder's name has no ending, whatever is in it."""
    return lora if is_folder(lora) else lora.with_name(lora.stem)


def _audit(said: Said) -> dict[str, Any]:
    report = said.report
    data: dict[str, Any] = {"strength": said.strength, "verdict": said.verdict, "reasons": said.reasons[:_MOST]}
    if report is not None:
        data |= {
            "policy": report.verdict.policy,
            "family": report.adapter.family,
            "base": report.base.name,
            "base_digest": report.base.digest,
            "preset": str(report.plan.get("preset", "")),
            "plan_digest": report.plan_digest,
            "started": str(report.timing.get("started", "")),
            "numbers": {f"{n.metric}.{n.name}": _number(n) for n in numbers(report)},
            "worst": worst(report.measurements),
        }
    return {**_harmless(data), "report": None if said.folder is None else str(said.folder)}


def _number(number: Number) -> dict[str, object]:
    """Return a number without the names that it stands under."""
    return {key: value for key, value in number.plain().items() if key not in ("metric", "name")}


def _harmless(value: Any) -> Any:
    """Return plain data with every text in it inert: programs that show a note are not ours."""
    if isinstance(value, str):
        return inert(value, 500)
    if isinstance(value, Mapping):
        return {inert(str(key), 100): _harmless(item) for key, item in value.items()}
    return [_harmless(item) for item in value] if isinstance(value, (list, tuple)) else value
