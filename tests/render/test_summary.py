"""The one-page summary: what stands in it, as a picture and as Markdown, also of reports that try to break it."""

import dataclasses
import re
from typing import Any

import pytest
from imports import heavy_imports
from owf.core.metrics.measurement import Part
from owf.core.render.formats.format import all_formats, default_formats, publish
from owf.core.render.formats.markdown import render_markdown
from owf.core.render.formats.picture import write_picture
from owf.core.render.pictures.lettering import fitted, font, plain, wrapped
from owf.core.render.pictures.sheet import COLORS
from owf.core.render.pictures.summary_sheet import WIDTH, summary_sheet
from owf.core.render.summary import summary_of
from owf.core.verdict.report import ImagePair
from PIL import Image
from report_samples import (
    HOSTILE,
    crowded_report,
    estimate,
    hostile_report,
    invalid_report,
    mapped_report,
    open_report,
    report,
    silent_report,
    trained_report,
)

REPORTS = {
    "drift": report,
    "invalid": invalid_report,
    "open": open_report,
    "silent": silent_report,
    "trained": trained_report,
    "crowded": crowded_report,
    "hostile": hostile_report,
}


def pairs(folder, count: int = 4) -> tuple[ImagePair, ...]:
    (folder / "images").mkdir()
    found = []
    for i in range(count):
        names = [f"images/{i}_{side}.png" for side in ("base", "tuned")]
        for name, color in zip(names, ((250, 10, 10), (10, 10, 250)), strict=True):
            Image.new("RGB", (64, 48), color).save(folder / name)
        found.append(ImagePair(f"a photo of bag number {i}", i, 30.0 - i, *names))
    return tuple(found)


def test_it_says_the_verdict_five_numbers_the_worst_and_what_was_audited():
    seen = summary_of(report())
    assert (seen.outcome, seen.decision) == ("DRIFT", "DRIFT")
    assert [line.title for line in seen.numbers] == [
        "Accuracy drop", "Worst class drop", "Denoiser drift", "Colour drift", "KID / spread"
    ]  # fmt: skip
    drop = seen.numbers[0]
    assert (drop.value, drop.interval, drop.limit, drop.decision) == (
        "21.6 points", "17.3 to 25.9", "10.0 points", "DRIFT"
    )  # fmt: skip
    assert seen.points[0].startswith("Forgotten most: dress 62.0 points (46.0 to 78.0), coat 44.0 points")
    assert seen.points[0].count("points") == 3
    assert (seen.lora, seen.base) == ("zigzag_bag.safetensors", "owf demo base")
    assert seen.footer == "strength 1, plan quick 77ab77ab, OWF 0.1.0"
    small = dataclasses.replace(report(), plan={**report().plan, "resolution": 512})
    assert summary_of(small).footer == "strength 1, plan quick 77ab77ab, asked at 512 px, OWF 0.1.0"
    assert seen.sentences[1] == report().verdict.reasons[0]


def test_what_explains_most_of_the_damage_comes_first_as_in_the_verdict():
    ways = (("coat", 0.5), ("bag", 0.9), ("green", 0.4), ("dress", 0.8))
    things = tuple(Part(label, estimate(way, 0.1, 1, "relative")) for label, way in ways)
    found = mapped_report()
    changed = dataclasses.replace(found.measurements["map"], breakdowns={"thing": things})
    points = summary_of(dataclasses.replace(found, measurements={"map": changed})).points
    assert points == ("Damaged: coat 50 % (40 to 60), bag 90 % (80 to 100), green 40 % (30 to 50)",)


def test_a_training_says_what_was_learned_and_no_summary_shows_pass_alone():
    seen = summary_of(trained_report())
    assert seen.outcome == "NOT LEARNED, PASS, in part"
    assert seen.decision == "INCONCLUSIVE"
    assert seen.sentences[1].startswith("Learned")


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_a_picture_1200_pixels_wide_in_the_colour_of_its_verdict(name, tmp_path):
    made = REPORTS[name]()
    path = write_picture(made, tmp_path)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.width) == ("PNG", "RGB", WIDTH)
        # One page: not higher than a sheet of A4 is, at this width.
        assert 300 < picture.height < WIDTH * 1.42
        corner: Any = picture.getpixel((2, 2))
        assert "#{:02x}{:02x}{:02x}".format(*corner) == COLORS[summary_of(made).decision]
    assert path.stat().st_size < 400_000


def test_its_pairs_are_shown_and_left_out_where_one_is_missing(tmp_path):
    made = dataclasses.replace(report(), pairs=pairs(tmp_path))
    with Image.open(write_picture(made, tmp_path)) as picture:
        whole = picture.copy()
    assert {(250, 10, 10), (10, 10, 250)} <= {color for _, color in whole.getcolors(1 << 20) or ()}
    (tmp_path / "images" / "1_tuned.png").unlink()
    with Image.open(write_picture(made, tmp_path)) as picture:
        assert picture.height < whole.height
        assert not {(250, 10, 10), (10, 10, 250)} & {color for _, color in picture.getcolors(1 << 20) or ()}


def test_no_prompt_is_shown_twice(tmp_path):
    one, other, *_ = pairs(tmp_path)
    again = dataclasses.replace(one, seed=one.seed + 1)
    apart = dataclasses.replace(other, prompt=f"{one.prompt} at night")
    found = summary_of(dataclasses.replace(report(), pairs=(one, again, apart))).pairs
    assert [pair.seed for pair in found] == [one.seed, apart.seed]


def test_pictures_outside_the_folder_are_not_shown(tmp_path):
    inside = tmp_path / "report"
    inside.mkdir()
    Image.new("RGB", (8, 8), (1, 200, 3)).save(tmp_path / "secret.png")
    pair = ImagePair("a", 0, 1.0, "../secret.png", str(tmp_path / "secret.png"))
    with Image.open(write_picture(dataclasses.replace(report(), pairs=(pair,)), inside)) as picture:
        assert (1, 200, 3) not in {color for _, color in picture.getcolors(1 << 20) or ()}


def test_nothing_is_written_over_the_edge(tmp_path):
    """All text ends before the margin: the outer 40 pixels hold nothing but paper below the band."""
    made = dataclasses.replace(hostile_report(), pairs=pairs(tmp_path))
    summary = summary_of(made)
    seen = summary_sheet(summary, [(Image.new("RGB", (900, 20)), Image.new("RGB", (1, 1)))] * 3)
    right = seen.crop((WIDTH - 40, 230, WIDTH, seen.height))
    assert [color for _, color in right.getcolors(1 << 20) or ()] == [(255, 255, 255)]


@pytest.mark.parametrize("name", REPORTS)
def test_markdown_holds_the_same_and_nothing_of_strangers_takes_effect(name):
    summary = summary_of(REPORTS[name]())
    text = render_markdown(summary)
    assert text.count("\n![") == 1 and "![Summary of the audit](summary.png)" in text
    without_ours = text.replace("![Summary of the audit](summary.png)", "").replace("`report.json`", "")
    # GitHub looks for these once backslashes are gone.
    assert not re.findall(r"(?i)@\w|://|www\.", without_ours.replace("\\", ""))
    without_ours = without_ours.replace("<!-- -->", "")
    # Whatever could begin a link, a picture, HTML, code or emphasis stands behind a backslash.
    assert not re.findall(r"(?<!\\)[<`\[\]_!]", without_ours)
    assert "\x1b" not in text and "\u202e" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == (len(summary.numbers) + 2 if summary.numbers else 0)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)


def test_names_of_strangers_are_escaped_letter_by_letter():
    adapter = dataclasses.replace(report().adapter, name="[x](http://evil) <b>|`*_")
    text = render_markdown(summary_of(dataclasses.replace(report(), adapter=adapter)))
    assert r"**\[x\]\(http\:<!-- -->\/\/evil\) \<b\>\|\`\*\_**" in text
    adapter = dataclasses.replace(adapter, name="me@evil.org @user WWW.evil.org")
    text = render_markdown(summary_of(dataclasses.replace(report(), adapter=adapter)))
    assert r"**me\@<!-- -->evil\.org \@<!-- -->user WWW<!-- -->\.evil\.org**" in text


def test_both_lie_beside_every_report(tmp_path):
    assert {"html", "json", "picture", "markdown"} <= set(default_formats())
    files = publish(report(), tmp_path, default_formats())
    assert {path.name for path in files} >= {"summary.png", "summary.md", "report.json", "report.html"}
    assert all(format_.holds for format_ in all_formats())


def test_text_is_fitted_and_wrapped_to_a_width():
    long = "word " * 200 + HOSTILE[5]
    assert font(20).getlength(fitted(long, 20, 300)) <= 300
    assert fitted("short", 20, 300) == "short"
    lines = wrapped("one two three four five six", 20, 100)
    assert " ".join(lines) == "one two three four five six"
    assert all(font(20).getlength(line) <= 100 for line in lines)
    assert wrapped("a b c 33.3 %), more", 20, font(20).getlength("a b c 33.3")) == ["a b c", "33.3 %),", "more"]
    assert plain("Δ −1 … 汉") == "delta  -1 ... ?"


def test_a_summary_takes_no_torch():
    assert "torch" not in heavy_imports("owf.core.render.formats.format:all_formats")
