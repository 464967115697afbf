"""`--beside`: what is left beside each LoRA, of one or of many. No torch."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ..core.batch.driver import Done
from ..core.disk.refusals import described
from ..core.ledger.row import COMPLETE, REFUSED, UNMEASURABLE
from ..core.render.beside import NOTE, PREVIEW, Said, write_note, write_preview
from ..core.text import inert
from .command import say

_OF_THE_FILE = (COMPLETE, UNMEASURABLE, REFUSED)
"""Ends that say something of the LoRA; the others are about this machine, and no note to leave beside it."""


class LeftBeside:
    """Leaves beside LoRAs what was asked for, each when all its audits are done.

    A folder that cannot be written is said once, at the end, and is no failure of the audits.
    """

    def __init__(self, kinds: Collection[str], audits: Mapping[Path, int]) -> None:
        """Take what is to be left, and how many audits each LoRA has."""
        self._kinds, self._audits = kinds, audits
        self._found: dict[Path, list[Said]] = {}
        self._refused: dict[Path, str] = {}

    def add(self, done: Done, folder: Path | None) -> None:
        """Take an audit that is done, and the folder of its report."""
        if not self._kinds or done.row.status not in _OF_THE_FILE:
            return
        lora, report = done.task.path, done.report
        reasons = (done.row.reason,) if report is None else report.verdict.reasons
        found = self._found.setdefault(lora, [])
        found.append(Said(done.task.strength, done.row.verdict, reasons, report, folder))
        if len(found) == self._audits[lora]:
            self.write(lora, done.row.sha256, self._found.pop(lora))

    def write(self, lora: Path, sha256: str, audits: Sequence[Said]) -> None:
        """Leave what these audits came to; the LoRA's digest is that of its report where it has one."""
        digest = next((said.report.adapter.sha256 for said in audits if said.report is not None), sha256)
        try:
            if NOTE in self._kinds:
                write_note(lora, digest, audits)
            if PREVIEW in self._kinds:
                write_preview(lora, audits)
        except OSError as error:
            self._refused.setdefault(lora.parent, described(error))

    def close(self) -> None:
        """Say which folders could not be written."""
        for said in self._refused.values():
            say("owf-audit", inert(said, 400))
