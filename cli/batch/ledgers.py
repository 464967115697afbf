"""`owf-audit history`, `rejudge`, `merge` and `compare`: what runs over many LoRAs kept. No model, no torch."""

import argparse
import dataclasses
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ...core.batch.rows import Asked, judge_again
from ...core.disk.lock import only_one
from ...core.disk.writable import require_writable
from ...core.errors import Setting, UsageError
from ...core.ledger.compare import compare
from ...core.ledger.ledger import NAME, Ledger
from ...core.ledger.merge import merge
from ...core.ledger.row import Row
from ...core.ledger.sweep import sweeps
from ...core.render.formats.format import default_formats, publish, publish_run
from ...core.render.formats.jsonl import row_data
from ...core.text import counted, inert
from ...core.verdict.policy import read_policy
from ...core.verdict.report import Report
from ...core.verdict.verdict import EXIT_CODES, worst
from ..arguments.paths import user_path
from ..command import guarded, print_failure, say
from .many import LOCK

_SHOWN = 60
"""Characters of a name in a line."""


def main(command: str, argv: Sequence[str]) -> int:
    """Run one of the commands and return its exit code: 0, 2 for wrong use; of `rejudge` that of the worst verdict."""
    options = parsers()[command].parse_args(argv)
    with guarded(lambda message, code: print_failure(f"owf-audit {command}", "", message, code)) as ending:
        ending.code = COMMANDS[command](options)
    return ending.code


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by their names."""
    run = f"run folder, or a {NAME}"
    history = argparse.ArgumentParser(
        "owf-audit history", description="Say what was audited, when, and what it came to."
    )
    history.add_argument("runs", nargs="*", type=user_path, metavar="RUN", help=f"{run} (default owf-reports)")
    history.add_argument("--lora", default="", metavar="TEXT", help="only LoRAs with this in their name or hash")
    history.add_argument("--json", action="store_true", help="a line of JSON for each, with every number")
    rejudge = argparse.ArgumentParser(
        "owf-audit rejudge", description="Judge what was measured by another policy; nothing is measured."
    )
    rejudge.add_argument("run", type=user_path, metavar="RUN", help=run)
    rejudge.add_argument("--policy", type=user_path, required=True, metavar="TOML", help="limits of the verdict")
    merging = argparse.ArgumentParser("owf-audit merge", description="Put the ledgers of several runs into one.")
    merging.add_argument("runs", nargs="+", type=user_path, metavar="LEDGER", help=run)
    merging.add_argument("--out", type=user_path, required=True, metavar="FOLDER", help="run folder of the whole")
    comparing = argparse.ArgumentParser("owf-audit compare", description="Say on which LoRAs runs do not agree.")
    comparing.add_argument("run", type=user_path, metavar="RUN", help=run)
    comparing.add_argument("runs", nargs="+", type=user_path, metavar="RUN", help="others to compare it with")
    return {"history": history, "rejudge": rejudge, "merge": merging, "compare": comparing}


def _ledger(path: Path) -> Path:
    """Return the ledger that a run's folder holds, or the file itself."""
    return path / NAME if path.is_dir() else path


def _history(options: argparse.Namespace) -> int:
    rows: list[Row] = []
    for run in options.runs or [Path("owf-reports")]:
        with Ledger(_ledger(run), writes=False) as ledger:
            rows += (_without_picture(row) for row in ledger.rows() if _is_meant(row, options.lora))
    for row in sorted(rows, key=lambda row: row.started):
        print(json.dumps(row_data(row)) if options.json else _line(row))
    for sweep in [] if options.json else sweeps(rows):
        print(sweep.sentence())
    return 0


def _is_meant(row: Row, text: str) -> bool:
    wanted = text.casefold()
    return wanted in row.name.casefold() or row.sha256.startswith(wanted)


def _line(row: Row) -> str:
    applied = (f"strength {row.strength:g}", row.stack and f"with {row.stack}")
    facts = (*applied, row.base and f"on {inert(row.base, _SHOWN)}", row.preset, row.policy)
    said = row.reason if row.status != "complete" or row.verdict != "PASS" else ""
    about = ", ".join(inert(fact, _SHOWN) for fact in facts if fact)
    what = f"{inert(row.name, _SHOWN)} ({about}) {inert(said, 300)}".rstrip()
    return f"{inert(row.started[:16]) or '-':16}  {inert(row.verdict):12}  {what}"


def _rejudge(options: argparse.Namespace) -> int:
    policy, path = read_policy(options.policy), _ledger(options.run)
    home = path.parent
    if not path.is_file():
        raise UsageError(f"{path}: there is no ledger.")
    asked = Asked("", policy)
    with only_one(home, LOCK), Ledger(path) as ledger:
        rows = list(ledger.rows())
        for row in rows:
            report = ledger.report(row)
            if report is None or row.policy_digest == asked.policy_digest:
                continue
            report, now = judge_again(row, report, asked, home, _publish)
            ledger.put(now, report)
            if now.verdict != row.verdict:
                print(f"{inert(row.name, _SHOWN)}: {row.verdict} -> {now.verdict}. {inert(now.reason, 300)}")
        _write(ledger, home)
        return EXIT_CODES[worst(row.verdict for row in ledger.rows())]


def _publish(report: Report, folder: Path) -> None:
    publish(report, folder, default_formats())


def _merge(options: argparse.Namespace) -> int:
    require_writable(options.out, Setting("out"))
    for run in options.runs:  # before a folder is made for what cannot be read
        Ledger(_ledger(run), writes=False).close()
    options.out.mkdir(parents=True, exist_ok=True)
    with only_one(options.out, LOCK), Ledger(options.out / NAME) as target:
        for run in options.runs:
            path = _ledger(run)
            if path.resolve() == target.path.resolve():
                continue
            with Ledger(path, writes=False) as source:
                say("owf-audit merge", f"{merge(target, source)} rows of {inert(str(path), 300)}")
        _write(target, options.out)
    return 0


def _write(ledger: Ledger, home: Path) -> Iterable[Path]:
    pages = publish_run(ledger.rows, home, default_formats())
    for page in pages:
        print(page)
    return pages


def _compare(options: argparse.Namespace) -> int:
    with ExitStack() as stack:
        ledgers = [stack.enter_context(Ledger(_ledger(run), writes=False)) for run in (options.run, *options.runs)]
        found, count = compare([map(_without_picture, ledger.rows()) for ledger in ledgers])
    for each in found:
        verdicts = " | ".join(verdict or "not there" for verdict in each.verdicts)
        print(inert("; ".join([f"{inert(each.name, _SHOWN)}{each.applied}: {verdicts}", *each.numbers]), 500))
    print(f"{counted(count, 'audit')}, {len(found)} with different verdicts.")
    return 0


def _without_picture(row: Row) -> Row:
    return dataclasses.replace(row, thumbnail=b"")


COMMANDS = {"history": _history, "rejudge": _rejudge, "merge": _merge, "compare": _compare}
"""Commands on ledgers, by the word that calls them."""
