"""Text of strangers made harmless, and names of files out of whatever people type."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from owf.core.text import cell, file_stem, inert, percent, without_unseen


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


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("my LoRA v1.2", "my_LoRA_v1_2"),
        ("../../etc/passwd", "etc_passwd"),
        ("a\0b\nc", "a_b_c"),
        ("水彩 スタイル", "水彩_スタイル"),
        (unicodedata.normalize("NFD", "café"), "café"),
        ("...", "lora"),
        ("CON", "CON_"),
        ("console", "console"),
        ("", "lora"),
    ],
)
def test_a_name_keeps_letters_of_any_script_and_nothing_that_moves(text, stem):
    assert file_stem(text) == stem


def test_a_long_name_fits_a_file_system():
    assert len(file_stem("x" * 500)) == 80
    long = file_stem("\U00020000" * 500)
    assert 0 < len(long.encode()) <= 200 and set(long) == {"\U00020000"}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\u200b\u200b", "  "),
        ("a\u200bdog", "a dog"),
        ("\ufeffa \u2060dog\xad", "a dog"),
        ("s\u200dk\u200cs", "sks"),  # joiners do nothing among Latin letters
        ("\u202ea\u202c \U000e0061", "a "),
        ("\u200d\u0645\u200c", "\u0645"),  # nothing to join at the ends
    ],
)
def test_characters_that_nobody_sees_are_left_out(text, seen):
    assert without_unseen(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: mi-khaham
        "\u0915\u094d\u200d\u0937",  # Hindi: a half form
        "\U0001f468\u200d\U0001f4bb",  # a man at a computer
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire
        "1\ufe0f\u20e3",  # a key
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "\u845b\U000e0100",  # a letter in one of its forms
    ],
)
def test_characters_that_change_what_is_seen_stay(text):
    assert without_unseen(text) == text


@pytest.mark.parametrize("start", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_no_part_of_a_cell_is_a_formula_where_semicolons_part_cells(start):
    for text in (f"{start}1", f"a;{start}1;b", f"a; {start}1", f"\u200b{start}1", f"a;\t{start}1"):
        assert all(not part.strip(" \ufffd").startswith(start) for part in cell(text).split(";")), text
    assert cell("a; b - c = d") == "a; b - c = d"


def test_a_share_is_written_in_percent_as_reports_write_it():
    assert (percent(0.00134), percent(0.5, 0)) == ("0.13 %", "50 %")
