"""The verdict beside a LoRA: `NAME.owf.json`, and a line in the description that hosts show on its card."""

import json
import re
from pathlib import Path
from typing import Any

from ..core.disk.files import write_text
from ..core.text import inert
from . import host
from .job import Job, Verdict
from .reports import FILE, read

_LARGEST = 1 << 20
"""Bytes of a host's file that is read: such files hold a few notes."""
_LINE = re.compile(r"^OWF: .*\n?", re.MULTILINE)


def write_all(job: Job) -> None:
    """Write what a job found beside its LoRAs; of several strengths the one nearest to 1."""
    known = host.loras()
    nearest = sorted(job.verdicts, key=lambda verdict: -abs(verdict.strength - 1.0))
    for verdict in nearest:
        path = known.get(verdict.lora)
        if path is not None:
            try:
                write(path, verdict)
            except OSError as error:  # a folder that may not be written costs the card, not the audit
                job.say(f"The verdict could not be written beside {path}: {error.strerror}")


def write(lora: Path, verdict: Verdict) -> None:
    """Write a verdict beside a LoRA; raises OSError where that cannot be."""
    report = None if verdict.folder is None else read(Path(verdict.folder) / FILE)
    data: dict[str, Any] = {"verdict": verdict.decision, "strength": verdict.strength, "report": verdict.folder}
    if report is not None:
        data |= {"base": report.base.name, "preset": report.plan.get("preset"), "sha256": report.adapter.sha256}
        data |= {"reasons": list(report.verdict.reasons)}
    write_text(lora.with_name(f"{lora.stem}.owf.json"), json.dumps(data, indent=1))
    if host.settings().cards:
        base = "" if report is None else f" on {inert(report.base.name, 80)}"
        _describe(lora.with_suffix(".json"), f"OWF: {verdict.decision}{base}, strength {verdict.strength:g}")


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
