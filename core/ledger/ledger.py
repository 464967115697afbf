"""The ledger: one SQLite file in a run's folder, a row for each LoRA and strength. No torch.

Its layout is described in docs/batch.md, and its version stands in `user_version`. One process writes, at a time and
whole rows only: a row, its numbers and its report are one transaction, so that a kill leaves all of them or none.
"""

import contextlib
import json
import math
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any

from ..disk.store import sqlite_advice
from ..errors import UsageError
from ..foreign import Advice, foreign
from ..verdict.report import Report, parse_report, to_json
from ..verdict.verdict import JUDGED, WORST_FIRST
from .row import COMPLETE, STATUSES, Number, Row

NAME = "ledger.sqlite"
"""File name in a run's folder."""
VERSION = 1
"""Version of the layout."""
_APPLICATION = 0x4F57464C
""""OWFL": tells a ledger from every other SQLite file."""
_ANEW = Advice("The command that audited it makes it anew.")
_MOST = 2**28
"""Bytes of a report that are unpacked: those of thousands of prompts have some millions."""
_COLUMNS = tuple(f.name for f in fields(Row) if f.name != "numbers")
_NUMBERS = tuple(f.name for f in fields(Number))
_LAYOUT = """
CREATE TABLE rows (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, strength REAL NOT NULL, stack TEXT NOT NULL,
  ask TEXT NOT NULL, status TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, policy TEXT NOT NULL,
  policy_digest TEXT NOT NULL, family TEXT NOT NULL, algorithm TEXT NOT NULL, autov2 TEXT NOT NULL,
  autov3 TEXT NOT NULL, base TEXT NOT NULL, base_digest TEXT NOT NULL, plan_digest TEXT NOT NULL, preset TEXT NOT NULL,
  folder TEXT NOT NULL, attempts INTEGER NOT NULL, started TEXT NOT NULL, seconds REAL NOT NULL,
  worst TEXT NOT NULL, thumbnail BLOB NOT NULL,
  UNIQUE (name, sha256, ask, strength, stack)
);
CREATE INDEX contents ON rows (sha256, ask, strength, stack);
CREATE TABLE numbers (
  row INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE,
  metric TEXT NOT NULL, name TEXT NOT NULL, value REAL, low REAL, high REAL, n INTEGER NOT NULL, unit TEXT NOT NULL,
  floor REAL, "limit" REAL, decision TEXT NOT NULL,
  PRIMARY KEY (row, metric, name)
) WITHOUT ROWID;
CREATE TABLE reports (row INTEGER PRIMARY KEY REFERENCES rows (id) ON DELETE CASCADE, json BLOB NOT NULL);
"""


class Ledger:
    """An open ledger; raises UsageError, which names the file, for one that cannot be read or written."""

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        """Open a ledger, or begin one where there is none and it is to be written."""
        self.path = path
        if not writes and not path.is_file():
            raise UsageError(f"{path}: there is no ledger.")
        with foreign(f"{path} cannot be used as a ledger", sqlite_advice):
            self._db = _opened(path, writes)
            try:
                self._prepare(writes)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, writes: bool) -> None:
        version, application = (self._one(f"PRAGMA {name}") for name in ("user_version", "application_id"))
        is_new = writes and not self._one("SELECT count(*) FROM sqlite_master")
        if not is_new and application != _APPLICATION:
            raise UsageError(f"{self.path} is no ledger, but another SQLite file.")
        if not is_new and version != VERSION:
            raise UsageError(f"{self.path} is of layout {version}, and this release knows {VERSION}.")
        if not is_new and _schema(self._db) != _own_schema():
            raise UsageError(f"{self.path} is no ledger: it defines other tables, views or triggers than one has.")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA trusted_schema = OFF")  # a stranger's ledger calls nothing
        if not writes:
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a row is hours of work, and there are few of them
        if is_new:
            # One statement list, one transaction: a kill in the midst leaves an empty file, which is new again.
            head = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {VERSION};"
            self._db.executescript(f"BEGIN; {head} {_LAYOUT} COMMIT;")

    def put(self, row: Row, report: Report | None) -> None:
        """Keep a row with its report, in place of the one with the same key, all or nothing."""
        with foreign(str(self.path), sqlite_advice):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._put(row, report)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _put(self, row: Row, report: Report | None) -> None:
        name, _, *question = row.key
        for key in (row.key, (name, "", *question)):  # and the row of when it could not be read
            self._db.execute(f"DELETE FROM rows WHERE {_KEY}", _safe(key))
        marks = ", ".join("?" * len(_COLUMNS))
        done = self._db.execute(f"INSERT INTO rows ({', '.join(_COLUMNS)}) VALUES ({marks})", _values(row))
        marks = ", ".join("?" * (1 + len(_NUMBERS)))
        names = ", ".join(f'"{name}"' for name in _NUMBERS)
        lines = [_safe((done.lastrowid, *(getattr(n, name) for name in _NUMBERS))) for n in row.numbers]
        self._db.executemany(f"INSERT INTO numbers (row, {names}) VALUES ({marks})", lines)
        if report is not None:
            packed = zlib.compress(to_json(report).encode("utf-8", "surrogatepass"))
            self._db.execute("INSERT INTO reports (row, json) VALUES (?, ?)", (done.lastrowid, packed))

    def find(self, name: str, sha256: str, ask: str, strength: float, stack: str = "") -> Row | None:
        """Return the row of this key, or of the same content under another name; None where there is none.

        One that was measured counts first: what a copy's worker died of says less than what the other's found.
        """
        where = "sha256 = ? AND ask = ? AND strength = ? AND stack = ? ORDER BY status != ?, name != ?, id LIMIT 1"
        return next(self._rows(where, _safe((sha256, ask, strength, stack, COMPLETE, name))), None)

    def names(self, ask: str) -> frozenset[str]:
        """Return the names of all rows under a question."""
        with foreign(str(self.path), sqlite_advice):
            return frozenset(name for (name,) in self._db.execute("SELECT name FROM rows WHERE ask = ?", (ask,)))

    def of_content(self, sha256: str) -> Iterator[Row]:
        """Yield every row of this content, in the order in which they were written."""
        return self._rows("sha256 = ? ORDER BY id", _safe((sha256,)))

    def report(self, row: Row) -> Report | None:
        """Return the report of a row; None where it has none. Raises UsageError where it is damaged."""
        with foreign(str(self.path), sqlite_advice):
            where = f"SELECT json FROM reports JOIN rows ON id = row WHERE {_KEY}"
            found = self._db.execute(where, _safe(row.key)).fetchone()
        if found is None:
            return None
        with foreign(f"{self.path}: the report of {row.name!r} is damaged", _ANEW):
            unpacking = zlib.decompressobj()
            text = unpacking.decompress(found[0], _MOST)
            if not unpacking.eof:
                raise ValueError("it is cut off, or larger than any report")
            text = text.decode("utf-8", "surrogatepass")
        return parse_report(text, f"{self.path}: {row.name!r}")

    def rows(self) -> Iterator[Row]:
        """Yield every row, in the order in which they were written."""
        return self._rows("1 ORDER BY id", ())

    def _rows(self, where: str, values: Iterable[object]) -> Iterator[Row]:
        with foreign(str(self.path), sqlite_advice):
            found = self._db.execute(f"SELECT id, {', '.join(_COLUMNS)} FROM rows WHERE {where}", tuple(values))
            lines = found.fetchmany(_AT_ONCE)
        while lines:
            with foreign(f"{self.path} is damaged", sqlite_advice):
                rows = [self._row(line) for line in lines]
                lines = found.fetchmany(_AT_ONCE)
            yield from rows

    def _row(self, line: tuple[Any, ...]) -> Row:
        names = ", ".join(f'"{name}"' for name in _NUMBERS)
        found = self._db.execute(f"SELECT {names} FROM numbers WHERE row = ? ORDER BY metric, name", (line[0],))
        values = _checked(_COLUMNS, line[1:], _KINDS)
        worst = json.loads(values["worst"])
        if not isinstance(worst, dict) or not all(_is_number(loss) for loss in worst.values()):
            raise ValueError(f"{values['worst'][:80]!r} says no classes and losses")
        for name in ("strength", "seconds"):
            if not math.isfinite(values[name]):
                raise ValueError(f"its {name} is {values[name]}")
        for name, known in (("status", STATUSES), ("verdict", WORST_FIRST)):
            if values[name] not in known:  # a page that knows no such verdict would show it as none that failed
                raise ValueError(f"its {name} is {values[name][:80]!r}")
        if "\0" in values["folder"]:
            raise ValueError("its folder holds a NUL character, which no path has")
        return Row(**{**values, "worst": worst}, numbers=tuple(map(_number, found)))

    def _one(self, sql: str) -> int:
        return self._db.execute(sql).fetchone()[0]

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_KEY = "name = ? AND sha256 = ? AND ask = ? AND strength = ? AND stack = ?"
_AT_ONCE = 500
"""Rows that are read at once: a run may add more meanwhile, and 10,000 pictures need not lie in memory."""


def _opened(path: Path, writes: bool) -> sqlite3.Connection:
    if writes:
        return sqlite3.connect(path, timeout=60, isolation_level=None)
    # Without a log beside it nobody writes: then nothing is made beside it either, as in a folder that is read only.
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True, timeout=60, isolation_level=None)


def _schema(db: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Return kind, name and definition of all that a database defines; SQLite's own indexes have no definition."""
    return frozenset(db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


@cache
def _own_schema() -> frozenset[tuple[str, str, str]]:
    """Return what a ledger defines: a view in place of a table may never end, and a trigger writes what it likes."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_LAYOUT)
        return _schema(db)


def _values(row: Row) -> tuple[object, ...]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["worst"] = json.dumps(row.worst)
    return _safe(values.values())


def _safe(values: Iterable[object]) -> tuple[object, ...]:
    """Return values as SQLite takes them: the odd bytes of names that are not UTF-8 are spelled out."""
    return tuple(v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for v in values)


def _checked(names: Sequence[str], line: Sequence[Any], kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Return the columns of a line by name; raise ValueError for a value of another kind: SQLite holds any in any."""
    for name, value in zip(names, line, strict=True):
        if not isinstance(value, kinds.get(name, (str,))):
            raise ValueError(f"its {name} is {str(value)[:80]!r}")
    return dict(zip(names, line, strict=True))


_REAL = (float, int)
_KINDS = {"strength": _REAL, "seconds": _REAL, "attempts": (int,), "thumbnail": (bytes,)}
_OPEN = (*_REAL, NoneType)
_NUMBER_KINDS = {"n": (int,), **dict.fromkeys(("value", "low", "high", "floor", "limit"), _OPEN)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max  # JSON has numbers of any length


def _number(line: tuple[Any, ...]) -> Number:
    values = _checked(_NUMBERS, line, _NUMBER_KINDS)
    for name in ("value", "low", "high"):  # SQLite keeps infinities, and NaN as NULL
        values[name] = math.nan if values[name] is None else float(values[name])
    is_judged = values["limit"] is not None
    if values["decision"] not in (JUDGED if is_judged else ("",)):
        raise ValueError(f"a number with the limit {values['limit']} is said to be {values['decision'][:80]!r}")
    return Number(**values)
