"""Claim: inert text is one printable line of bounded length that keeps what is readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from owf.core.text import cell, inert


@given(st.text(max_size=300), st.integers(1, 250))
def test_inert_is_printable_short_and_stable(text, limit):
    shown = inert(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert inert(shown, limit) == shown


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "\u3164", "\x9b"])
def test_dangerous_characters_are_replaced(char):
    assert inert(f"a{char}b") == "a\ufffdb"


def test_readable_text_stays():
    assert inert("a photo of ohwx \u72ac, caf\u00e9 <b>") == "a photo of ohwx \u72ac, caf\u00e9 <b>"
    assert inert("a\nb\tc\u2028d") == "a b c d"
    assert inert("abcdef", 4) == "abc\u2026"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t="])
def test_cells_are_no_formulas(start):
    assert cell(f"{start}1+1").startswith("'")
    assert cell("plain") == "plain"
