"""Pages and command lines name the same options: every one that a page names is there, and every one is on a page."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from owf.cli.arguments.arguments import parser as audit_parser
from owf.cli.audit import BASE, LEDGERS
from owf.cli.base import parser as base_parser
from owf.cli.batch.ledgers import parsers as ledger_parsers
from owf.cli.experiment import parser as experiment_parser
from owf.cli.inspect import parser as inspect_parser
from owf.cli.training.arguments import parser as train_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/design/*.md", "demo/*.md", "web/docs/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)
PARSERS = {
    "owf-audit": audit_parser(),
    "owf-train": train_parser(),
    "owf-experiment": experiment_parser(),
    "owf-audit inspect": inspect_parser(),
    "owf-audit base": base_parser(),
    **{f"owf-audit {word}": parser for word, parser in ledger_parsers().items()},
}
NOT_OURS = {
    "--api", "--api-auth", "--data-dir", "--enable-insecure-extension-access", "--gradio-allowed-path", "--gradio-auth",
    "--listen", "--lowvram", "--novram", "--share",  # hosts
    "--array", "--cpus-per-task", "--dependency", "--gres", "--job-name", "--mem", "--output", "--parsable",
    "--requeue", "--signal", "--time",  # Slurm
    "--dist",  # pytest
    "--now",  # install.py
    "--skip-frontier", "--plain", "--fashion", "--overwrite", "--rounds", "--large", "--mismatch", "--count",
    "--clip", "--methods", "--browser",  # bench, docs
}  # fmt: skip
"""Options of other programs, which pages may name alone."""
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_PROGRAM = re.compile(r"\b(owf-(?:audit|train|experiment))\b([^|&;#`\n]*)")
"""A call: the program, and what stands behind it on the line."""


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return a parser's options, with those of its commands."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for one in action.choices.values() for option in options(one)}
    return {option for option in found if option.startswith("--")}


def code(text: str) -> Iterator[str]:
    """Yield the lines of code of a page: fenced, indented and in sentences; a line may go on behind a backslash."""
    text = re.sub(r"\\\n\s*", " ", text)
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    text = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in re.findall(r"(?:^ {4}.*\n?)+", text, re.MULTILINE):
        yield from block.splitlines()
    yield from (span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", text))


def calls(text: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the calls of our programs in a page's code, each with the options given there."""
    for line in code(text):
        for program, rest in _PROGRAM.findall(line):
            word = next(iter(rest.split()), "")
            yield f"{program} {word}" if f"{program} {word}" in PARSERS else program, set(_OPTION.findall(rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_option_that_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    for program, given in calls(text):
        assert given <= options(PARSERS[program]), f"{program} has not {given - options(PARSERS[program])}"
    known = NOT_OURS.union(*map(options, PARSERS.values()))
    named = {option for line in code(text) for option in _OPTION.findall(line)}
    assert named <= known, named - known


@pytest.mark.parametrize("program", PARSERS)
def test_every_option_is_on_a_page(program):
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    named = set(_OPTION.findall(text))
    asked = {option.replace("--no-", "--") for option in options(PARSERS[program])}  # of --flip and --no-flip one does
    assert not {option for option in asked if not {option, option.replace("--", "--no-")} & named}


def test_every_command_of_owf_audit_is_on_a_page_and_in_the_help():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    for word in (*LEDGERS, BASE, "inspect", "map", "watch"):
        assert f"owf-audit {word}" in text and word in audit_parser().format_help()


def test_calls_are_found():
    page = "`owf-audit map x --words y`\n\n```sh\npip install . && owf-train p \\\n  --rank 4  # and --no-such\n```\n"
    assert list(calls(page)) == [("owf-train", {"--rank"}), ("owf-audit", {"--words"})]
    assert sum(len(list(calls(page.read_text(encoding="utf-8")))) for page in PAGES) > 60
