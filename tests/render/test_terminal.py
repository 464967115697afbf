"""The terminal report: 80 columns, no colour needed, nothing obeyed."""

import io
import re
from types import SimpleNamespace

import pytest
import report_samples as samples
from owf.cli.output.wording import option
from owf.core.render import words
from owf.core.render.terminal.terminal import print_report
from rich.console import Console

SAMPLES = ["report", "invalid_report", "open_report", "crowded_report", "hostile_report", "silent_report",
           "trained_report", "mapped_report"]  # fmt: skip


def printed(report, folder=None, width=80, encoding="utf-8", files=(), **options):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    print_report(report, Console(file=file, width=width, **options), option, folder, files)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_fits_the_width(name, width):
    text = printed(getattr(samples, name)(), width=width)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("name", SAMPLES)
def test_a_pipe_gets_plain_text(name):
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", printed(getattr(samples, name)()))


def test_one_line_per_number_at_80_columns():
    text = printed(samples.report())
    row = r"Accuracy drop, pts +21\.6 +17\.3 to 25\.9 +1\.1 +10\.0 +✗ DRIFT"
    assert re.search(row, text)
    assert re.search(r"KID / spread, % +2\.13 +1\.42 to 2\.91 +0\.31 +5 +✓ PASS", text)
    assert re.search(r"Colour drift, ΔE +9\.3 +7\.7 to 10\.9 +2\.1 +10 +\? INCONCLUSIVE", text)


def test_a_silent_alarm_has_no_check_mark_and_no_colour():
    text = printed(samples.silent_report(), width=100, force_terminal=True, color_system="standard")
    assert re.search(r"\x1b\[32m✓ PASS", text)
    (line,) = (line for line in text.splitlines() if "NO ALARM" in line)
    assert "✓" not in line and "\x1b[32m" not in line and "– NO ALARM" in line
    flat = re.sub(r"\s+", " ", printed(samples.silent_report()))
    assert "73.3 points (95 % interval 10.0 points to 100.0 points" in flat and "its interval reaches below" in flat


def test_worst_classes_colours_warnings_and_reasons_are_named():
    text = printed(samples.report())
    flat = re.sub(r"\s+", " ", text)
    assert flat.index("dress 62.0") < flat.index("coat 44.0")
    assert "trousers" not in text
    assert "black +8.3, orange +6.1, gray −5.5" in flat
    assert samples.adapter().warnings[0] in flat
    assert all(reason in flat for reason in samples.report().verdict.reasons)


def test_the_change_by_block_comes_before_the_numbers():
    text = printed(samples.report())
    assert re.search(r"up 1 +███ +24\.3 +▓▓▓ +17\.0 +▒▒▒ +9\.7", text)
    assert re.search(r"out +NaN/∞", text)
    assert text.index("Change by block, in %") < text.index("cross-attention") < text.index("Accuracy drop")
    assert "Change by block" not in printed(samples.invalid_report())


def test_only_the_blocks_that_change_most_are_named():
    text = printed(samples.crowded_report())
    assert "blocks 56" in text
    assert "blocks 32" not in text
    assert "and 33 more blocks that change less" in text


def test_an_invalid_report_has_a_reason_and_no_table():
    text = printed(samples.invalid_report())
    assert "! INVALID" in text
    assert "0 of 192 matched" in text
    assert "(--base)" in text
    assert "Metric" not in text


def test_decisions_are_coloured_in_a_terminal():
    text = printed(samples.report(), force_terminal=True, color_system="standard")
    assert "\x1b[31m✗ DRIFT" in text
    assert "\x1b[32m✓ PASS" in text


def test_no_color_is_obeyed():
    text = printed(samples.report(), force_terminal=True, color_system="standard", no_color=True)
    assert not re.search("\x1b\\[[0-9;]*3[0-9]", text)


def test_markup_and_escapes_of_strangers_stay_text():
    text = printed(samples.hostile_report(), width=200, force_terminal=True, color_system="standard")
    assert "[bold]markup[/bold]" in text
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x1b[31mred" not in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("name", SAMPLES)
def test_old_encodings_lose_signs_but_do_not_fail(name, encoding):
    text = printed(getattr(samples, name)(), encoding=encoding)
    assert getattr(samples, name)().verdict.decision in text


def test_existing_files_are_named_on_whole_lines_and_no_others(tmp_path):
    folder = tmp_path / ("long" * 30)
    report = samples.report(samples.draw_pairs(folder, 1))
    for name in ("report.json", "table.csv"):
        (folder / name).touch()
    written = [folder / "table.csv", folder / "report.html"]  # a page that is gone by now
    lines = printed(report, folder, files=written).splitlines()
    assert [line for line in lines if str(folder) in line] == [str(written[0]), str(folder / "pairs")]


def test_a_training_that_taught_nothing_is_no_pass():
    text = printed(samples.trained_report(), width=100, force_terminal=True, color_system="standard")
    assert re.search(r"\x1b\[1;33m\? NOT LEARNED, PASS", text)
    flat = re.sub(r"\s+", " ", printed(samples.trained_report(), width=100))
    assert "? NOT LEARNED, PASS, in part It does not draw its concept." in flat
    assert "learned 4 % (-3 to 11), kept 74 %" in flat
    assert "from more or better pictures (--steps, --rate, --dc-weight)." in flat
    assert "✓ PASS" in flat  # the judged number's own


def test_what_is_damaged_is_named_first_and_ranked():
    text = re.sub(r"\s+", " ", printed(samples.mapped_report()))
    assert "most of all dress and green (14 concepts)." in text
    assert re.search(r"Damaged Way .*green \(14 concepts\) 110 100 to 120", text)
    assert "thing number" not in text
    assert re.search(r"Moved least: black dress 0 %", text)


DAMAGED = {
    (): "allow.",
    ("everything",): "allow, in everything.",
    ("dress", "bag", "coat"): "allow, most of all dress and bag.",
}


@pytest.mark.parametrize(("names", "said"), DAMAGED.items())
def test_what_is_damaged_is_in_the_first_sentence(monkeypatch, names, said):
    monkeypatch.setattr(words, "damaged", lambda verdict, measurements: names)
    report = SimpleNamespace(verdict=SimpleNamespace(decision="DRIFT", judgements=()), measurements={}, learning=None)
    assert words.meaning(report).endswith(said)
