"""One self-contained page of pairs of pictures that people rate blind; it says nothing of where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .images import Picture, embed
from .page import render_page

SIDE = 512
"""Longest side in pixels of a picture on the page."""


@dataclass(frozen=True)
class ShownPair:
    """One pair as it is to be shown."""

    id: str
    """What the page calls it."""
    report: str
    """Report whose folder holds the pictures; not on the page."""
    prompt: str
    """What both were asked for."""
    x: str
    """Path of one picture in that folder."""
    y: str
    """Path of the other."""


@dataclass(frozen=True)
class Pair:
    """One pair on the page."""

    id: str
    prompt: str
    x: Picture
    y: Picture


@dataclass(frozen=True)
class RatingPage:
    """Everything on the page."""

    id: str
    pairs: list[Pair]
    scale: list[tuple[int, str]]
    """Answers to "how different"."""
    questions: list[tuple[str, str]]
    """Name and words of each such question."""


_SCALE = [(0, "the same"), (1, "hardly"), (2, "somewhat"), (3, "clearly"), (4, "utterly")]
"""How different two pictures are, in the words of the page."""


def rating_page(
    page: str, shown: Sequence[ShownPair], folders: Mapping[str, Path], questions: Mapping[str, str]
) -> str:
    """Return the page; raise UsageError where a picture of a report is missing."""
    pairs = [
        Pair(one.id, one.prompt, *(_picture(folders[one.report], path) for path in (one.x, one.y))) for one in shown
    ]
    view = RatingPage(page, pairs, _SCALE, list(questions.items()))
    return render_page("ratings.html.j2", view, ("report.css", "ratings.css"), ("ratings.js",))


def _picture(folder: Path, path: str) -> Picture:
    found = embed(folder / path, folder, SIDE)
    if found is None:
        raise UsageError(f"The report in {folder} lacks its picture {path}.")
    return found
