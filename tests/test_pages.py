"""What the pages name is there: files, folders, headings and tests."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("core", "cli", "nodes", "web", "webui", "scripts", "tests", "bench", "demo", "example_workflows", "docs")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "docs/design/*.md", "demo/*.md", "web/docs/*.md")
    for path in ROOT.glob(pattern)
)
EXAMPLE = "NAME"
"""In a recipe it stands for the name of what a contributor adds."""


@cache
def modules() -> tuple[str, ...]:
    """Return every file of Python, with a slash before its path."""
    files = [*ROOT.glob("*.py"), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))]
    return tuple(f"/{p.relative_to(ROOT).as_posix()}" for p in files)


def named(text: str) -> set[str]:
    """Return the paths from the repository's root that a page names."""
    paths = re.findall(rf"`((?:{'|'.join(FOLDERS)}|\.ci|\.github)/[\w./-]*\w/?(?:::\w+)?)`", text)
    return {path for path in paths if EXAMPLE not in path}


@pytest.mark.parametrize("page", PAGES)
def test_files_and_tests_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / link).exists(), link
    for name in named(text):
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name
    # Without its folder, where the text says that: the end of some file's path.
    for name in re.findall(r"`(\w[\w./-]*\.py)`", text):
        assert EXAMPLE in name or any(module.endswith(f"/{name}") for module in modules()), name


def anchors(path: Path) -> set[str]:
    """Return the headings of a page as links call them on GitHub."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES)
def test_headings_that_a_page_links_to_are_there(page):
    path = ROOT / page
    for file, head in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")):
        assert head in anchors(path.parent / file if file else path), f"{file}#{head}"


def test_every_page_of_the_documentation_is_linked_from_another():
    linked = {
        (ROOT / page).parent.joinpath(link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert not [page for page in PAGES if page.startswith("docs/") and (ROOT / page).resolve() not in linked]


def test_paths_are_found_in_the_pages():
    assert len(PAGES) > 20
    for page, least in {"SECURITY.md": 30, "CONTRIBUTING.md": 30, "docs/architecture.md": 20}.items():
        assert len(named((ROOT / page).read_text(encoding="utf-8"))) >= least, page
