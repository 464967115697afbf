"""`owf-audit`: parse, plan, audit, render."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InvalidError, OwfError, UsageError
from ..core.verdict.verdict import DRIFT, EXIT_CODES, worst
from .arguments import parser
from .command import guarded, print_failure, quiet_libraries, say_doubts, say_left_out
from .wording import worded

if TYPE_CHECKING:
    from ..core.adapter import Adapter
    from ..core.render.audited import Audited


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 PASS, 1 DRIFT, 2 usage error, 3 INCONCLUSIVE, 4 INVALID.

    The demo ends with 0 when its LoRAs get the verdicts that they are there to show, DRIFT among them.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["inspect"]:
        from .inspect import main as inspect_main

        return inspect_main(argv[1:])
    options = parser().parse_args(argv)
    with guarded(lambda message, code: print_failure("owf-audit", options.progress, message, code)) as ending:
        files = _lora_files(options)
        quiet_libraries()
        from .session import Session

        session = Session(options)
        if len(files) == 1:
            ending.code = _audit_one(session, _read(files[0], options.allow_pickle), options)
        else:
            ending.code = _audit_many(session, files, options)
    return ending.code


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


def _read(file: Path, allow_pickle: bool) -> "Adapter":
    """Return the LoRA in a file; the error names the file."""
    from ..core.adapter import read_adapter
    from ..core.text import inert

    try:
        return read_adapter(file, allow_pickle=allow_pickle)
    except InvalidError as error:
        raise error.at(inert(file.name)) from error
    except OSError as error:
        raise InvalidError(f"{inert(file.name[:200])}: cannot be opened: {error.strerror}") from error


def _audit_one(session: Any, adapter: "Adapter", options: argparse.Namespace) -> int:
    from ..core.render.audited import Audited
    from ..core.render.formats.format import publish_all
    from .tell import tell_report

    published = session.audit(adapter)
    audited = Audited(adapter.path.name, published.report, published.folder)
    files = (*published.files, *publish_all([audited], options.out, options.write))
    tell_report(published, files, session.console, options.progress)
    return published.report.verdict.exit_code


def _audit_many(session: Any, files: Sequence[Path], options: argparse.Namespace) -> int:
    """Audit each; a file that cannot be audited is one line of the overview, not the end of the run."""
    from ..core.render.audited import Audited
    from ..core.render.formats.format import publish_all
    from ..core.text import inert
    from .tell import tell_overview

    audits: list[Audited] = []
    pages: tuple[Path, ...] = ()
    try:
        for file, name in zip(files, _names(files), strict=True):
            try:
                published = session.audit(_read(file, options.allow_pickle))
                audits.append(Audited(name, published.report, published.folder))
            except OwfError as error:
                refusal = worded(error).removeprefix(f"{inert(file.name)}: ")  # the name stands beside it
                audits.append(Audited(name, refusal=refusal))
    finally:
        if audits:  # hours of work are worth a page, interrupted or not
            pages = publish_all(audits, options.out, options.write)
    tell_overview(audits, pages, session.console, options.progress)
    code = EXIT_CODES[worst(audit.decision for audit in audits)]
    return _demo_code(files, audits, code, options.progress) if options.demo else code


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


def _names(files: Sequence[Path]) -> list[str]:
    """Return a name for each file, with its folder's where the file's alone would not do."""
    seen = Counter(file.name for file in files)
    return [file.name if seen[file.name] == 1 else f"{file.absolute().parent.name}/{file.name}" for file in files]


if __name__ == "__main__":
    sys.exit(main())
