"""A report in the terminal: what was audited, the numbers, the verdict, and where the files are.

Every string becomes a `Text` of inert characters, so neither markup nor escape sequences in a file take effect.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...errors import Setting
from ...metrics.measurement import Estimate, Part
from ...metrics.metric import Breakdown, all_metrics
from ...verdict.outcome import outcome, summary
from ...verdict.report import Report
from ...verdict.verdict import DRIFT, INCONCLUSIVE, INVALID, PASS, Judgement
from .. import words
from ..heat_map import relative_heat_map
from ..ranked import LEAST, leading, least
from .console_text import console_text
from .heat_table import print_heat_map

MOVED_LINES = 6
"""Lines of a breakdown that are named, of those that went either way."""
MOST_BLOCKS = 24
"""Blocks whose change is shown: those that change most."""
_STYLES = {PASS: "green", DRIFT: "red", INCONCLUSIVE: "yellow", INVALID: "magenta"}


def print_report(
    report: Report,
    console: Console,
    word: Callable[[Setting], str],
    folder: Path | None = None,
    files: Sequence[Path] = (),
) -> None:
    """Print the report; `word` is what the host calls a setting.

    Where it was written, `folder` is where its pictures are, and `files` are what the output formats wrote of it.
    """
    _print_subject(report, console)
    _print_blocks(report, console)
    if report.measurements:
        _print_numbers(report, console)
    _print_breakdowns(report, console)
    _print_verdict(report, console, word)
    if folder is not None:
        _print_files(report, console, folder, files)


def _print_subject(report: Report, console: Console) -> None:
    console.print()
    name = console_text(console, report.adapter.name, "bold", 100)
    console.print(Text.assemble(name, " on ", console_text(console, report.base.name, "bold", 100)))
    facts = f"strength {report.adapter.strength:g}, {report.adapter.matched} modules changed"
    facts += f", {report.adapter.unmatched} unmatched" if report.adapter.unmatched else ""
    facts += words.asked_at(report)
    console.print(console_text(console, facts, "dim"))
    for warning in report.adapter.warnings:
        _print_point(console, "!", "yellow", warning)


def _print_blocks(report: Report, console: Console) -> None:
    blocks = report.adapter.blocks
    if not blocks:
        return
    console.print()
    console.print(console_text(console, "Change by block, in % of the weights it changes", "bold"))
    print_heat_map(relative_heat_map(blocks), console, MOST_BLOCKS)


def _print_point(console: Console, mark: str, style: str, text: str) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(console_text(console, mark, style), console_text(console, text, limit=600))
    console.print(grid)


def _print_numbers(report: Report, console: Console) -> None:
    table = _table(console, "Metric", "Value", "95 % interval", "Floor", "Limit")
    table.add_column(Text("Decision"), no_wrap=True, overflow="crop")
    judged = {(j.metric, j.estimate): j for j in report.verdict.judgements}
    for metric in sorted(report.measurements, key=words.metric_order):
        for key, estimate in report.measurements[metric].estimates.items():
            table.add_row(*_number_row(console, key, estimate, judged.get((metric, key))))
    console.print()
    console.print(table)
    for metric in sorted(report.measurements, key=words.metric_order):
        if changes := words.clear_changes(report.measurements[metric]):
            console.print()
            console.print(console_text(console, f"{words.metric_words(metric).title}: {', '.join(changes)}", limit=600))


def _table(console: Console, first: str, *others: str) -> Table:
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold", min_width=12, max_width=30)
    for name in others:
        table.add_column(
            console_text(console, name, "bold"), justify="right", overflow="crop", no_wrap=name != "95 % interval"
        )
    return table


def _number_row(console: Console, key: str, estimate: Estimate, judgement: Judgement | None) -> Iterator[Text]:
    unit = estimate.unit
    word = words.unit_word(unit, key).replace("points", "pts")
    title = words.estimate_title(key) + (f", {word}" if word else "")
    style = "" if judgement else "dim"
    yield console_text(console, title, style, 40)
    yield console_text(console, words.number(estimate.value, unit), style or "bold")
    yield console_text(console, words.interval(estimate.low, estimate.high, unit), style)
    yield console_text(console, "" if estimate.floor is None else words.floor_number(estimate.floor, unit), style)
    yield console_text(console, _limit(judgement, unit) if judgement else "", style)
    yield _decision(console, judgement.decision) if judgement else Text()


def _limit(judgement: Judgement, unit: str) -> str:
    return words.either_way(judgement) + words.number(judgement.limit, unit)


def _decision(console: Console, decision: str) -> Text:
    mark = words.SYMBOLS.get(decision, "–")
    return console_text(console, f"{mark} {decision}", _STYLES.get(decision, ""), 15)


def _print_breakdowns(report: Report, console: Console) -> None:
    """Print the largest lines of the breakdowns that are to be seen here, those of the first metric first."""
    for metric in all_metrics():
        measurement = report.measurements.get(metric.name)
        found = {} if measurement is None else measurement.breakdowns
        for key, breakdown in metric.breakdowns.items():
            if key in found and breakdown.grid:
                _print_least(found[key], console)
            elif key in found and breakdown.in_terminal:
                if breakdown.signed:
                    _print_moved(breakdown.in_terminal, found[key], console)
                else:
                    _print_worst(breakdown, found[key], console)


def _print_worst(breakdown: Breakdown, parts: Iterable[Part], console: Console) -> None:
    lost = leading(breakdown, parts)
    if not lost:
        return
    table = _table(console, breakdown.in_terminal, breakdown.column, "95 % interval", "Floor")
    for part in lost:
        e = part.estimate
        floor = "" if e.floor is None else words.floor_number(e.floor, e.unit)
        cells = (words.number(e.value, e.unit), words.interval(e.low, e.high, e.unit), floor)
        # What came instead is said behind the name, so a line may be long; it folds.
        table.add_row(console_text(console, part.label, limit=80), *(console_text(console, cell) for cell in cells))
    console.print()
    console.print(table)


def _print_moved(title: str, parts: Iterable[Part], console: Console) -> None:
    clear = [part for part in parts if part.estimate.low > 0 or part.estimate.high < 0]
    if not clear:
        return
    ordered = sorted(clear, key=lambda part: -abs(part.estimate.value))[:MOVED_LINES]
    moved = (f"{part.label} {words.number(part.estimate.value, part.estimate.unit, True)}" for part in ordered)
    console.print()
    console.print(console_text(console, f"{title}: {', '.join(moved)}", limit=400))


def _print_least(parts: Iterable[Part], console: Console) -> None:
    """Print what a map says of the untouched; the worst of it are in the lists beside it."""
    untouched = (f"{part.label} {words.quantity(part.estimate.value, part.estimate.unit)}" for part in least(parts))
    console.print()
    console.print(console_text(console, f"{LEAST}: {', '.join(untouched)}", limit=400))


def _print_verdict(report: Report, console: Console, word: Callable[[Setting], str]) -> None:
    decision = words.shown_decision(report)
    style = f"bold {_STYLES.get(decision, '')}".strip()
    line = console_text(console, f"{words.SYMBOLS.get(decision, '–')} {outcome(report)}", style, 40)
    console.print()
    console.print(Text.assemble(line, "  ", console_text(console, words.meaning(report))))
    if report.learning is not None:
        console.print(console_text(console, summary(report), "bold"))
        for reason in report.learning.worded(word):
            _print_point(console, "  •", "", reason)
    for reason, worded in zip(report.verdict.reasons, report.verdict.worded(word), strict=True):
        _print_point(console, "  •", _STYLES.get(words.decision_of(reason, report.verdict), ""), worded)


def _print_files(report: Report, console: Console, folder: Path, files: Sequence[Path]) -> None:
    pictures = {folder / Path(pair.base).parent for pair in report.pairs[:1]}
    paths = [path for path in (*files, *pictures) if path.exists()]
    if paths:
        console.print()
    for path in paths:
        console.print(console_text(console, str(path), limit=4000), soft_wrap=True)
