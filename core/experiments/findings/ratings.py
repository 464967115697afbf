"""Pairs of pictures that people rate blind: which are shown, what the key says of them, and what people answered.

No torch. The page knows a pair by a number that says nothing, and its pictures as x and y; which of them is the base's
stands in the key alone, a file that stays with whoever asks.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...disk.files import read_regular
from ...errors import Setting, UsageError
from ...render.formats.json_ import NAME
from ...text import inert
from ...verdict.report import Report, read_report
from ...verdict.typed import require_types

VERSION = 1
"""Of key and answers."""
PER_REPORT = 12
"""Pairs of each report, from its most to its least changed."""
CATCH_EVERY = 10
"""One pair in so many shows one picture twice: who sees a difference there does not look."""
LARGEST = 4
"""Largest answer to "how different", from 0."""
QUESTIONS = {"color": "colours", "content": "what is shown"}
"""What is asked of a pair, 0 to LARGEST: how different are the ... -> its words."""
_MOST = 1 << 24
"""Bytes of a key or of answers that are believed."""


@dataclass(frozen=True)
class Trial:
    """One pair as it is shown."""

    id: str
    """What the page calls it."""
    report: str
    """Report that it is of: the folder's name."""
    rank: int
    """Its place among the pairs of that report."""
    x: str
    """Which picture is called x: "base" or "tuned"; of a catch both are the base's."""
    catch: bool
    """Whether both pictures are the same."""
    change: float
    """Colour distance of the pair in Delta-E; 0 of a catch."""


@dataclass(frozen=True)
class Key:
    """Everything that the page does not say."""

    page: str
    """Name of the page, which answers repeat."""
    trials: tuple[Trial, ...]
    """In no order that matters."""
    numbers: dict[str, dict[str, float]]
    """Report -> estimates of its audit by name."""
    version: int = VERSION


@dataclass(frozen=True)
class Answer:
    """What somebody said of one pair."""

    id: str
    color: int
    content: int
    better: str
    """"x", "y" or "same"."""


@dataclass(frozen=True)
class Answers:
    """What one person said."""

    page: str
    rater: str
    """What the person's browser calls itself: a random number."""
    answers: tuple[Answer, ...]
    version: int = VERSION


def read_reports(folders: Sequence[Path]) -> dict[str, tuple[Path, Report]]:
    """Return the reports in and below folders, by the name of each one's own folder.

    Raises UsageError where there is none with pairs of pictures, or two folders have one name.
    """
    found: dict[str, tuple[Path, Report]] = {}
    for folder in folders:
        for path in sorted(folder.rglob(NAME)):
            report = read_report(path)
            if not report.pairs:
                continue
            if path.parent.name in found:
                raise UsageError(f"Two reports lie in folders called {inert(path.parent.name)!r}.", Setting("reports"))
            found[path.parent.name] = (path.parent, report)
    if not found:
        raise UsageError("There is no report with pictures to be rated.", Setting("reports"))
    return found


def make_key(reports: dict[str, tuple[Path, Report]], per_report: int = PER_REPORT, seed: int = 0) -> Key:
    """Return which pairs are shown: of every report as many, evenly from the most to the least changed."""
    trials: list[Trial] = []
    for name, (_, report) in reports.items():
        count = min(per_report, len(report.pairs))
        for i in range(count):
            rank = i * (len(report.pairs) - 1) // max(1, count - 1)
            trials.append(_trial(name, rank, report.pairs[rank].change, len(trials), seed))
    numbers = {name: _numbers(report) for name, (_, report) in reports.items()}
    told = json.dumps([asdict(trial) for trial in trials]) + json.dumps(numbers, sort_keys=True)
    return Key(hashlib.sha256(told.encode()).hexdigest()[:12], tuple(trials), numbers)


def _trial(report: str, rank: int, change: float, number: int, seed: int) -> Trial:
    digest = hashlib.sha256(f"{seed}|{number}|{report}|{rank}".encode()).digest()
    catch = number % CATCH_EVERY == CATCH_EVERY - 1
    return Trial(digest.hex()[:12], report, rank, ("base", "tuned")[digest[-1] % 2], catch, 0.0 if catch else change)


def _numbers(report: Report) -> dict[str, float]:
    estimates = [pair for m in report.measurements.values() for pair in m.estimates.items()]
    return {name: estimate.value for name, estimate in estimates}


def read_key(path: Path) -> Key:
    """Return the key in a file; raise UsageError where it is none."""
    data = _read(path)
    try:
        trials = tuple(Trial(**trial) for trial in data["trials"])
        key = Key(**{**data, "trials": trials})
        require_types(key, Key, "key")
    except (LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no key of a page of ratings: {inert(str(error), 120)}.") from error
    return key


def read_answers(path: Path, key: Key) -> Answers:
    """Return what one person answered; raise UsageError where a file is no answer to the key's page."""
    data = _read(path)
    try:
        given = Answers(**{**data, "answers": tuple(Answer(**answer) for answer in data["answers"])})
        require_types(given, Answers, "answers")
    except (LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no ratings: {inert(str(error), 120)}.", _RATINGS) from error
    known = {trial.id for trial in key.trials}
    scale = range(LARGEST + 1)
    good = all(
        a.id in known and a.color in scale and a.content in scale and a.better in ("x", "y", "same")
        for a in given.answers
    )
    if given.page != key.page or not good or len({a.id for a in given.answers}) < len(given.answers):
        raise UsageError(f"{path} holds no ratings of this page, or holds some that it does not ask.", _RATINGS)
    return given


_RATINGS = Setting("ratings")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_regular(path, _MOST))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {inert(str(error), 120)}.", _RATINGS) from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise UsageError(f"{path} is not of version {VERSION} of the ratings.", _RATINGS)
    return data


def looks(given: Answers, key: Key) -> bool:
    """Return whether somebody looked: pictures that are the same were called so, give or take a step."""
    catches = {trial.id for trial in key.trials if trial.catch}
    return all(answer.color <= 1 and answer.content <= 1 for answer in given.answers if answer.id in catches)
