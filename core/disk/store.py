"""Samples on disk: what has been measured survives Ctrl-C and kill -9, and is never measured twice."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Setting, UsageError
from ..foreign import NONE, Advice, foreign

Arrays = Mapping[str, np.ndarray]


def sqlite_advice(error: Exception) -> Advice:
    """Return what to do about an error of SQLite, by its cause."""
    text = str(error)
    if "full" in text:
        return Advice("Free disk space and continue the run.", (Setting("resume"),))
    if "not a database" in text or "malformed" in text:
        return Advice("It is damaged: delete it and run again.")
    if "readonly" in text or "unable to open" in text:
        return Advice("The folder cannot be written: change its permissions, or choose another.")
    return NONE


def measured_in(path: Path) -> frozenset[tuple[str, str]]:
    """Return the (stage, item) of every sample in a store's file; none where there is no file, which stays so."""
    if not path.is_file():
        return frozenset()
    with whole_store(path) as store:
        return store.measured()


def whole_store(path: Path) -> "SampleStore":
    """Return the store in a file without what is damaged there: everything in it can be measured again.

    Single samples that are not as they were put are dropped; a file that SQLite cannot make sense of is begun anew.
    """
    try:
        store = SampleStore(path)
        try:
            store.drop_damaged()
        except BaseException:
            store.close()
            raise
        return store
    except UsageError as error:
        if type(error.__cause__) is not sqlite3.DatabaseError:  # its children say that disk or program are at fault
            raise
    remove_store(path)
    return SampleStore(path)


def remove_store(path: Path) -> None:
    """Remove a store's file, with those that SQLite keeps beside it."""
    for file in store_files(path):
        file.unlink(missing_ok=True)


def store_files(path: Path) -> tuple[Path, ...]:
    """Return a store's file, and those that SQLite keeps beside it while the store is open."""
    return path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))


class SampleStore:
    """One SQLite file of samples, each a few arrays under (stage, item).

    A put is one transaction, so a killed run loses at most the sample in flight; several processes may
    share a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with foreign(f"{path} cannot be used as a store of samples", sqlite_advice):
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS samples "
            "(stage TEXT, item TEXT, arrays BLOB, sha256 BLOB, PRIMARY KEY (stage, item))"
        )
        if self._has_checks():
            return
        self._db.execute("BEGIN IMMEDIATE")  # a file of a release without them, which others may open just now
        if not self._has_checks():
            self._db.execute("ALTER TABLE samples ADD COLUMN sha256 BLOB")
        self._db.execute("COMMIT")

    def _has_checks(self) -> bool:
        return "sha256" in [column[1] for column in self._db.execute("PRAGMA table_info(samples)")]

    def get(self, stage: str, item: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a sample, or None if it was not measured yet."""
        from safetensors.numpy import load

        row = self._run("SELECT arrays FROM samples WHERE stage = ? AND item = ?", [(stage, item)])
        with foreign(f"{self.path} holds a sample that is damaged", Advice("Delete the file and run again.")):
            return load(row[0]) if row else None

    def has(self, stage: str, item: str) -> bool:
        """Return whether a sample was measured."""
        return self._run("SELECT 1 FROM samples WHERE stage = ? AND item = ?", [(stage, item)]) is not None

    def measured(self) -> frozenset[tuple[str, str]]:
        """Return the (stage, item) of every sample."""
        with foreign(str(self.path), sqlite_advice):
            return frozenset(self._db.execute("SELECT stage, item FROM samples"))

    def put(self, stage: str, samples: Iterable[tuple[str, Arrays]]) -> None:
        """Keep samples, all or none."""
        from safetensors.numpy import save

        self.put_packed(
            [(stage, item, save({k: np.ascontiguousarray(v) for k, v in arrays.items()})) for item, arrays in samples]
        )

    def put_packed(self, samples: Iterable[tuple[str, str, bytes]]) -> None:
        """Keep samples that are packed already, each with its stage and item, all or none."""
        self._run("BEGIN IMMEDIATE", [()])
        try:
            rows = ((stage, item, packed, _check(stage, item, packed)) for stage, item, packed in samples)
            self._run("INSERT OR REPLACE INTO samples (stage, item, arrays, sha256) VALUES (?, ?, ?, ?)", rows)
            self._run("COMMIT", [()])
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def packed(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield stage, item and packed arrays of every sample, sorted by the first two."""
        with foreign(str(self.path), sqlite_advice):
            found = self._db.execute("SELECT stage, item, arrays FROM samples ORDER BY stage, item")
        while True:
            with foreign(str(self.path), sqlite_advice):
                row = found.fetchone()
            if row is None:
                return
            yield row

    def drop_damaged(self) -> int:
        """Drop the samples that are not as they were put, and return how many; read whole, once.

        Raises UsageError whose cause is a DatabaseError where SQLite cannot read the file at all.
        """
        with foreign(str(self.path), sqlite_advice):
            said = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if said != "ok":
                raise sqlite3.DatabaseError(f"malformed: {said}")
            found = self._db.execute("SELECT rowid, stage, item, arrays, sha256 FROM samples WHERE sha256 IS NOT NULL")
            bad = [(row[0],) for row in found if _check(*row[1:4]) != row[4]]
        if bad:
            self._run("DELETE FROM samples WHERE rowid = ?", bad)
        return len(bad)

    def describe(self, text: str) -> None:
        """Keep what the samples are about, for whoever finds the file."""
        self._run("CREATE TABLE IF NOT EXISTS about (text TEXT)", [()])
        if self.description() != text:
            self._run("DELETE FROM about", [()])
            self._run("INSERT INTO about VALUES (?)", [(text,)])

    def description(self) -> str:
        """Return what the samples are about; "" where nobody said so."""
        if self._run("SELECT 1 FROM sqlite_master WHERE name = 'about'", [()]) is None:
            return ""
        row = self._run("SELECT text FROM about", [()])
        return str(row[0]) if row else ""

    def _run(self, sql: str, rows: Iterable[tuple[object, ...]]) -> tuple[Any, ...] | None:
        with foreign(str(self.path), sqlite_advice):
            found = None
            for row in rows:
                found = self._db.execute(sql, row).fetchone()
            return found

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> "SampleStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _check(stage: str, item: str, packed: object) -> bytes:
    """Return the digest that a sample is held to: of its name too, so that none stands in for another."""
    digest = hashlib.sha256(f"{stage}\0{item}\0".encode("utf-8", "surrogatepass"))
    digest.update(packed if isinstance(packed, bytes) else b"")  # SQLite holds any kind in any column
    return digest.digest()
