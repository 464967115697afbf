"""The pages for contributors name files and tests: each is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("SECURITY.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("page", PAGES)
def test_files_and_tests_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`((?:core|cli|nodes|tests|bench|docs|\.ci)/[\w./-]+(?:::\w+)?)`", text)
    assert len(named) > 10
    for name in {*links, *named} - {name for name in named if "NAME" in name}:
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text(), name
