"""`owf-audit base list`, `export` and `import`: what is kept of bases, moved to another machine. No torch."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..core.audit.base.base_files import Brought, described, export_results, import_results
from ..core.audit.base.base_results import About
from ..core.disk.stores import size
from ..core.errors import UsageError
from ..core.text import counted, inert
from ..core.versions import versions
from .arguments.paths import cache_folder, user_path
from .command import guarded, print_failure


def main(argv: Sequence[str]) -> int:
    """Run one of the commands and return its exit code: 0, or 2 for wrong use."""
    options = parser().parse_args(argv)
    with guarded(lambda message, code: print_failure(f"owf-audit base {options.command}", "", message, code)) as ending:
        ending.code = COMMANDS[options.command](options, cache_folder(options.cache))
    return ending.code


def parser() -> argparse.ArgumentParser:
    """Return the parser of `owf-audit base`."""
    top = argparse.ArgumentParser("owf-audit base", description="Show and move what is kept of bases.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shown = commands.add_parser("list", help="show whose results are kept")
    out = commands.add_parser("export", help="write results into one file, for another machine")
    out.add_argument("file", type=user_path, metavar="FILE", help="file to write")
    back = commands.add_parser("import", help="read results from such a file; those that are there stay")
    back.add_argument("file", type=user_path, metavar="FILE", help="file to read")
    for each in (shown, out):
        each.add_argument("--base", default="", metavar="TEXT", help="only bases with this in their name or digest")
    for each in (shown, out, back):
        each.add_argument("--cache", type=user_path, metavar="FOLDER", help="where base results are kept")
    return top


def _chosen(options: argparse.Namespace, cache: Path) -> list[tuple[Path, About]]:
    wanted = options.base.casefold()
    return [(p, a) for p, a in described(cache) if wanted in a.base.casefold() or a.digest.startswith(wanted)]


def _list(options: argparse.Namespace, cache: Path) -> int:
    for path, about in _chosen(options, cache):
        print(f"{size(path) / 1e6:8.1f} MB  {_line(about)}")
    return 0


def _export(options: argparse.Namespace, cache: Path) -> int:
    found = _chosen(options, cache)
    if not found:
        raise UsageError(f"There are no results of such a base in {cache}: audit a LoRA on it first.")
    count = export_results([path for path, _ in found], options.file)
    for _, about in found:
        print(_line(about))
    print(f"{counted(count, 'sample')} in {inert(str(options.file), 300)}")
    return 0


def _import(options: argparse.Namespace, cache: Path) -> int:
    for brought in import_results(options.file, cache):
        print(f"{_line(brought.about)}: {counted(brought.new, 'new sample')} of {brought.samples:,}")
        print(_use(brought), end="")
    return 0


def _line(about: About) -> str:
    place = ", ".join(about.environment[key] for key in ("device", "gpu", "dtype") if key in about.environment)
    return f"{inert(about.base, 60)} ({inert(about.digest[:10])}), {inert(about.preset, 40)}, {inert(place, 120)}"


def _use(brought: Brought) -> str:
    """Return what keeps results from being of use here: numbers of other versions may differ in their last digit."""
    theirs = brought.about.environment
    other = [name for name, version in versions().items() if theirs.get(name) != version]
    if not other:
        return ""
    made = ", ".join(f"{name} {inert(theirs.get(name, 'none'), 40)}" for name in other)
    return f"  Made with {made}: with the versions that are here the base is measured anew.\n"


COMMANDS = {"list": _list, "export": _export, "import": _import}
"""What can be done, by the word that calls it."""
