"""Audits that are finished already: found by what was measured, in the report's own folder or wherever it was made."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..disk.files import read_regular, write_bytes, write_text
from ..errors import UsageError
from ..render.formats.json_ import NAME
from ..verdict.report import Report, read_report
from .change import Change

_MOST = 2**24
"""Bytes of a picture or note that are taken over: pictures of 1024 pixels have two millions."""


@dataclass(frozen=True)
class Finished:
    """The finished report of one audit, whatever its policy, if there is one."""

    cache: Path
    """Where notes lie that say which folders hold reports."""
    run: str
    """All that what is measured depends on."""
    base_digest: str
    plan_digest: str
    change: Change

    def find(self, folder: Path) -> Report | None:
        """Return the report, with its pictures in `folder`; None where none is finished, or none can be read."""
        if not self.change.is_repeatable:
            return None
        for place in (folder, self._noted()):
            report = None if place is None else self._report(place)
            if place is not None and report is not None and (place == folder or _take_over(report, place, folder)):
                own = self.change.record()  # the same content may be called otherwise here
                return dataclasses.replace(report, adapter=dataclasses.replace(report.adapter, name=own.name))
        return None

    def remember(self, folder: Path) -> None:
        """Note that a folder holds the finished report."""
        if self.change.is_repeatable:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._note, json.dumps({"folder": str(folder.absolute())}))

    @property
    def _note(self) -> Path:
        return self.cache / "finished" / f"{hashlib.sha256(self.run.encode()).hexdigest()[:32]}.json"

    def _noted(self) -> Path | None:
        try:
            folder = json.loads(read_regular(self._note, _MOST))["folder"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None
        return Path(folder) if isinstance(folder, str) and "\0" not in folder else None

    def _report(self, folder: Path) -> Report | None:
        try:
            report = read_report(folder / NAME)
        except UsageError:
            return None
        made = (report.status, report.base.digest, report.plan_digest, report.adapter.sha256)
        asked = ("complete", self.base_digest, self.plan_digest, self.change.record().sha256)
        return report if made == asked else None


def _take_over(report: Report, source: Path, folder: Path) -> bool:
    """Copy a report's pictures into another folder; return whether all of them could be read."""
    names = [name for pair in report.pairs for name in (pair.base, pair.tuned)]
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
        return False
    try:
        contents = [read_regular(source / name, _MOST) for name in names]
    except OSError:
        return False
    for name, content in zip(names, contents, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, content)
    return True
