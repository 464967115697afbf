"""What is known of a LoRA file before anything is measured: by the ledger here, a note beside it, or the file."""

from contextlib import suppress
from pathlib import Path

from ...core.errors import OwfError
from ...core.ledger.known import Known, by_file, by_ledger, by_note, known_at
from ..backend import places
from ..ui.wording import in_graph


def known_of(path: Path, strength: float) -> tuple[Known | None, list[str]]:
    """Return what is known of a file at a strength, and what could not be asked."""
    from ...core.adapter.identity import content_digest
    from ...core.disk.digests import Digests
    from ...core.ledger.ledger import Ledger
    from ...core.train.metadata import read_metadata

    sha256, notes = content_digest(path, Digests(places.cache_folder())), []
    found = by_note(path, sha256)
    if ledger().is_file():
        try:
            with Ledger(ledger(), writes=False) as rows:
                found += by_ledger(rows.of_content(sha256))
        except OwfError as error:
            notes.append(error.worded(in_graph))
    with suppress(OwfError):  # not safetensors, or not sound: then it says nothing of itself
        found += by_file(read_metadata(path))
    return known_at(found, strength), notes


def is_remembered(path: Path, strength: float, base_digest: str, plan_digest: str) -> bool:
    """Return whether the ledger has an audit of a file on that base by that plan, whose report still lies here."""
    from ...core.adapter.identity import content_digest
    from ...core.disk.digests import Digests
    from ...core.ledger.ledger import Ledger
    from ...core.ledger.row import COMPLETE
    from ...core.render.formats.json_ import NAME

    if not ledger().is_file():
        return False
    asked = COMPLETE, strength, base_digest, plan_digest
    sha256 = content_digest(path, Digests(places.cache_folder()))
    with Ledger(ledger(), writes=False) as rows:
        found = [row for row in rows.of_content(sha256) if row.folder_below is not None]
    same = [row for row in found if (row.status, row.strength, row.base_digest, row.plan_digest) == asked]
    return any((places.reports_folder() / row.folder / NAME).is_file() for row in same)


def ledger() -> Path:
    """Return where the ledger of this computer's audits lies, if there is one."""
    from ...core.ledger.ledger import NAME

    return places.reports_folder() / NAME
