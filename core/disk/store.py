"""Samples on disk: what has been measured survives Ctrl-C and kill -9, and is never measured twice."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

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
    with SampleStore(path) as store:
        return store.measured()


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
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS samples (stage TEXT, item TEXT, arrays BLOB, PRIMARY KEY (stage, item))"
            )

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

        rows = [
            (stage, item, save({k: np.ascontiguousarray(v) for k, v in arrays.items()})) for item, arrays in samples
        ]
        self._run("BEGIN IMMEDIATE", [()])
        try:
            self._run("INSERT OR REPLACE INTO samples VALUES (?, ?, ?)", rows)
            self._run("COMMIT", [()])
        except UsageError:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _run(self, sql: str, rows: Iterable[tuple[object, ...]]) -> tuple[bytes, ...] | None:
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
