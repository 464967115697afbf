"""Names of files out of whatever people type."""

import unicodedata

import pytest
from owf.core.text import file_stem


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
