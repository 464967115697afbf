"""The table at the end of an audit of many LoRAs, and where its pages are."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...errors import Setting
from ...text import inert
from ...verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, PASS
from .. import words
from ..audited import Audited, Key, estimate_of, headlines, judgement_of, worst_first
from .console_text import console_text

_STYLES = {PASS: "green", DRIFT: "bold red", INCONCLUSIVE: "yellow", INVALID: "magenta"}
_NUMBER_WIDTH = 9
"""Five numbers, a verdict and a name fit into 80 columns."""


def print_overview(
    audits: Sequence[Audited], pages: Sequence[Path], console: Console, word: Callable[[Setting], str]
) -> None:
    """Print one line per LoRA, the worst first, and the paths of the `pages` over all; `word` as in `print_report`."""
    measured = [audit for audit in audits if audit.measured]
    if measured:
        console.print(_table(worst_first(measured), console))
    for audit in audits:
        if audit.decision == INVALID:
            line = f"{words.SYMBOLS[INVALID]} INVALID {inert(audit.name, 60)}: {inert(audit.reason_in(word), 600)}"
            console.print(console_text(console, line, _STYLES[INVALID], 700))
    for page in pages:
        console.print(console_text(console, str(page), limit=4000), soft_wrap=True)


def _table(audits: Sequence[Audited], console: Console) -> Table:
    """Return the measured LoRAs with their headline numbers, coloured by what each limit says."""
    from rich import box

    keys = headlines(audit.report for audit in audits if audit.report)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    table.add_column(console_text(console, "LoRA", "bold"), overflow="fold", min_width=12, max_width=40)
    table.add_column(console_text(console, "Verdict", "bold"), no_wrap=True)
    for key in keys:
        table.add_column(console_text(console, _heading(key, audits), "bold"), justify="right", max_width=_NUMBER_WIDTH)
    for audit in audits:
        table.add_row(*_cells(audit, keys, console))
    return table


def _heading(key: Key, audits: Sequence[Audited]) -> str:
    seen = (estimate_of(audit.report, key) for audit in audits if audit.report)
    unit = next(words.unit_word(estimate.unit, key[1]) for estimate in seen if estimate)
    return words.estimate_title(key[1]) + (f", {unit.replace('points', 'pts')}" if unit else "")


def _cells(audit: Audited, keys: Sequence[Key], console: Console) -> Iterator[Text]:
    yield console_text(console, audit.title, limit=80)
    mark = words.SYMBOLS.get(audit.shown_decision, words.MISSING)
    yield console_text(console, f"{mark} {audit.outcome}", _STYLES.get(audit.shown_decision, ""), 40)
    for key in keys:
        assert audit.report is not None
        estimate, judgement = estimate_of(audit.report, key), judgement_of(audit.report, key)
        style = _STYLES.get(judgement.decision, "") if judgement else ""
        shown = words.number(estimate.value, estimate.unit) if estimate else words.MISSING
        yield console_text(console, shown, style)
