"""`owf-audit`: parse, plan, audit, render."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import OwfError, UsageError
from ..core.text import counted, inert
from ..core.verdict.verdict import DRIFT, EXIT_CODES, INVALID
from .arguments.arguments import parser
from .auditor import WORKER, exit_code, names_of, read_lora
from .command import guarded, print_failure, quiet_libraries, say, say_doubts, say_left_out
from .output.wording import worded

LEDGERS, BASE = ("history", "rejudge", "merge", "compare"), "base"
"""Commands on what runs kept, and on base results; a file or folder that is called so is a LoRA, or holds some."""

OF_MANY = ("shard", "strengths", "time_limit", "retry", "ray")
"""Options that make even one LoRA a run with a ledger."""

if TYPE_CHECKING:
    from ..core.adapter import Adapter
    from ..core.audit.session import Published
    from ..core.render.audited import Audited


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID.

    The demo ends with 0 when its LoRAs get the verdicts that they are there to show, DRIFT among them.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    other = _other_command(argv)
    if other is not None:
        return other()
    watching = argv[:1] == ["watch"] and not Path("watch").exists()
    argv = argv[1:] if watching else argv
    argv = with_map(argv)
    options = parser().parse_args(argv)
    with guarded(lambda message, code: print_failure("owf-audit", options.progress, message, code)) as ending:
        _require_sense(options)
        if watching:
            ending.code = _watch(options, argv)
            return ending.code
        files = _lora_files(options)
        quiet_libraries()
        if options.dry_run:
            ending.code = _foresee_each(_session(options), files, options)
        elif len(files) == 1 and not _is_a_run(options):
            ending.code = _audit_one(_session(options), read_lora(files[0], options.allow_pickle), options)
        else:
            ending.code = _audit_many(files, options, argv)
    return ending.code


def _other_command(argv: Sequence[str]) -> Callable[[], int] | None:
    """Return what runs one of the commands that have options of their own; None for an audit."""
    word, rest = (argv[0], argv[1:]) if argv else ("", [])
    if word == "inspect":
        from .inspect import main as inspect_main

        return lambda: inspect_main(rest)
    if word == WORKER:  # what a run over many LoRAs starts for itself
        quiet_libraries()
        from .batch.worker import main as worker_main

        return lambda: worker_main(rest)
    if word in (*LEDGERS, BASE) and Path(word).exists():
        return None
    if word in LEDGERS:
        from .batch.ledgers import main as ledgers_main

        return lambda: ledgers_main(word, rest)
    if word == BASE:
        from .base import main as base_main

        return lambda: base_main(rest)
    return None


def _is_a_run(options: argparse.Namespace) -> bool:
    """Return whether even one LoRA is to be a run with a ledger: a file over a run's rows is asked for by name, too."""
    from ..core.render.formats.format import chosen_formats, default_formats

    asked_for = () if options.write == default_formats() else chosen_formats(options.write)
    return any(map(vars(options).get, OF_MANY)) or any(format_.write_run for format_ in asked_for)


def _require_sense(options: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    if options.below and options.beside:
        raise UsageError("What is left beside a LoRA is of that LoRA alone: leave out --beside, or --with.")
    if options.ray is not None and not options.workers:
        raise UsageError("A cluster needs workers: --workers says how many.")
    if options.time_limit is not None and (options.demo or not options.workers):
        raise UsageError(
            "A time limit ends a worker process, and there is none: leave out --time-limit, or "
            + ("--demo." if options.demo else "--workers 0.")
        )


def with_map(argv: Sequence[str]) -> Sequence[str]:
    """Return the command line that `owf-audit map` stands for: what the user gives comes after, and counts."""
    mapped = argv[:1] == ["map"] and not Path("map").exists()
    return ["--metrics", "map,confirmed", *argv[1:]] if mapped else argv


def _watch(options: argparse.Namespace, argv: Sequence[str]) -> int:
    from ..core.adapter.find import find_loras
    from .batch.watch import watch

    if not options.loras:
        raise UsageError("Name the folder to watch. See owf-audit --help.")
    odd = "--demo" if options.demo else "--dry-run"
    if options.demo or options.dry_run:
        raise UsageError(f"A folder is watched to audit what appears in it: leave out {odd}.")
    quiet_libraries()
    for path in options.loras:
        say(
            "owf-audit", f"{counted(len(find_loras(path).paths), 'LoRA')} in {inert(str(path), 300)}, which is watched."
        )
    return watch(
        lambda: [file for path in options.loras for file in find_loras(path).paths],
        lambda files: _audit_many(files, options, argv),
        options.every,
    )


def _session(options: argparse.Namespace) -> Any:
    from .session import Session

    return Session(options)


def _lora_files(options: argparse.Namespace) -> list[Path]:
    if options.demo:
        if options.loras:
            raise UsageError("--demo brings its own LoRAs; leave out the file, or leave out --demo and use --base.")
        from ..core.demo import DEMO_LORAS

        return list(DEMO_LORAS)
    if not options.loras:
        raise UsageError("Name a LoRA file, or try --demo. See owf-audit --help.")
    files = list(dict.fromkeys(file for path in options.loras for file in _found(path)))
    if not files:
        raise UsageError("There is no LoRA (.safetensors file or PEFT folder) in the given folders.")
    return files


def _found(path: Path) -> tuple[Path, ...]:
    from ..core.adapter.find import find_loras

    found = find_loras(path)
    say_left_out("owf-audit", found.left_out, path)
    say_doubts("owf-audit", found.doubts)
    return found.paths


def _foresee_each(session: Any, files: Sequence[Path], options: argparse.Namespace) -> int:
    """Print what the audit of each file would be; the code is INVALID's where one cannot be audited, else 0."""
    codes = [0]
    for file, name in zip(files, names_of(files), strict=True):
        try:
            seen = session.foresee(read_lora(file, options.allow_pickle))
            codes.append(0 if seen.refusal is None else EXIT_CODES[INVALID])
        except OwfError as error:
            if len(files) == 1:
                raise
            session.console.print(f"{inert(name)}: {worded(error)}", highlight=False, markup=False)
            codes.append(error.exit_code)
    return max(codes)


def _audit_one(session: Any, adapter: "Adapter", options: argparse.Namespace) -> int:
    from ..core.render.audited import Audited
    from ..core.render.formats.format import publish_all
    from .output.tell import tell_report

    published = session.audit(adapter)
    audited = Audited(adapter.path.name, published.report, published.folder)
    files = (*published.files, *publish_all([audited], options.out, options.write))
    tell_report(published, files, session.console, options.progress)
    _leave_beside(adapter.path, published, options)
    return exit_code([published.report.verdict.decision], options.fail_on)


def _leave_beside(lora: Path, published: "Published", options: argparse.Namespace) -> None:
    from ..core.render.beside import Said
    from .beside import LeftBeside

    verdict = published.report.verdict
    beside = LeftBeside(options.beside, {})
    beside.write(
        lora, "", [Said(options.strength, verdict.decision, verdict.reasons, published.report, published.folder)]
    )
    beside.close()


def _audit_many(files: Sequence[Path], options: argparse.Namespace, argv: Sequence[str]) -> int:
    """Audit each; a file that cannot be audited is one line of the overview, not the end of the run."""
    from .batch.many import audit_many
    from .batch.watch import SIGNALLED
    from .output.tell import tell_overview

    ended = audit_many(files, options, argv)
    tell_overview(ended.audits, ended.pages, ended.console, options.progress)
    if ended.signal is not None:
        said = "Stopped before it was done. The same command goes on from here."
        return print_failure("owf-audit", options.progress, said, SIGNALLED + ended.signal)
    if options.shard is not None and not ended.audits:  # the whole may have fewer LoRAs than parts
        part, parts = options.shard
        say("owf-audit", f"Part {part} of {parts} has none of the {counted(len(files), 'LoRA')}.")
        return 0
    for line in ended.sweeps:
        ended.console.print(line, highlight=False, markup=False, soft_wrap=True)
    code = exit_code((audit.decision for audit in ended.audits), options.fail_on)
    return _demo_code(files, ended.audits, code, options.progress) if options.demo else code


def _demo_code(files: Sequence[Path], audits: Sequence["Audited"], code: int, progress: str) -> int:
    """Return 0 where every LoRA of the demo got the verdict that it is there to show; otherwise say which did not.

    The code is then the ordinary one, and DRIFT's where that is 0: a demo without its DRIFT must not end well.
    """
    from ..core.demo import DEMO_VERDICTS

    odd = [
        f"{audit.name} is {audit.decision}, not {DEMO_VERDICTS[file]}"
        for file, audit in zip(files, audits, strict=True)
        if audit.decision != DEMO_VERDICTS[file]
    ]
    if not odd:
        if progress != "json":
            print(
                "The demo shows what it is there to show: " + ", ".join(f"{a.name} {a.decision}" for a in audits) + "."
            )
        return 0
    message = f"The demo does not show what it is there to show: {'; '.join(odd)}."
    return print_failure("owf-audit", progress, message, code or EXIT_CODES[DRIFT])


if __name__ == "__main__":
    sys.exit(main())
