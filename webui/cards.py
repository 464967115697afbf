"""The verdict beside a LoRA: `NAME.owf.json`, and a line in the description that hosts show on its card."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.disk.files import write_text
from ..core.render.beside import Said, headline, write_note
from ..core.text import inert
from . import host
from .jobs.job import Job, Verdict
from .reports import FILE, read

_LARGEST = 1 << 20
"""Bytes of a host's file that is read: such files hold a few notes."""
_LINE = re.compile(r"^OWF: .*\n?", re.MULTILINE)


def write_all(job: Job) -> None:
    """Write what a job found beside its LoRAs."""
    known = host.loras()
    found: dict[str, list[Verdict]] = {}
    for verdict in job.verdicts:
        found.setdefault(verdict.lora, []).append(verdict)
    for name, verdicts in found.items():
        if name in known:
            try:
                write(known[name], verdicts)
            except OSError as error:  # a folder that may not be written costs the card, not the audit
                job.say(f"The verdict could not be written beside {known[name]}: {error.strerror}")


def write(lora: Path, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts at several strengths beside a LoRA; raises OSError where that cannot be."""
    audits = [_said(verdict) for verdict in verdicts]
    sha256 = next((said.report.adapter.sha256 for said in audits if said.report is not None), "")
    write_note(lora, sha256, audits)
    if host.settings().cards:
        first = headline(audits)
        base = "" if first.report is None else f" on {inert(first.report.base.name, 80)}"
        _describe(lora.with_suffix(".json"), f"OWF: {first.verdict}{base}, strength {first.strength:g}")


def _said(verdict: Verdict) -> Said:
    folder = None if verdict.folder is None else Path(verdict.folder)
    report = None if folder is None else read(folder / FILE)
    return Said(verdict.strength, verdict.decision, () if report is None else report.verdict.reasons, report, folder)


def _describe(path: Path, line: str) -> None:
    """Set our line in the description of a host's file about a LoRA; one that is not understood stays as it is."""
    data: Any = {}
    if path.exists():
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            return
    beside = any(path.with_suffix(ending).exists() for ending in (".txt", ".description.txt"))
    if beside and isinstance(data, dict) and not data.get("description"):
        return  # the host shows that text, which ours would hide
    if not isinstance(data, dict) or not isinstance(data.get("description") or "", str):
        return
    rest = _LINE.sub("", data.get("description") or "").rstrip()
    data["description"] = f"{rest}\n{line}" if rest else line
    write_text(path, json.dumps(data, indent=4, ensure_ascii=False))
