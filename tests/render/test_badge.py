"""The badge says the outcome in the colour of its decision, and nothing of a stranger is markup in it."""

import xml.etree.ElementTree as ElementTree

import pytest
from owf.core.render.formats.badge import render_badge, write_badge
from owf.core.render.pictures.sheet import COLORS
from owf.core.render.summary import summary_of
from report_samples import hostile_report, invalid_report, report, trained_report

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("made", [report(), invalid_report(), trained_report(), hostile_report()])
def test_outcome_and_colour_are_those_of_the_summary(made, tmp_path):
    summary = summary_of(made)
    page = ElementTree.parse(write_badge(made, tmp_path)).getroot()
    assert [text.text for text in page.iter(f"{SVG}text")] == ["forgetting", summary.outcome]
    assert [rect.get("fill") for rect in page.iter(f"{SVG}rect")][2] == COLORS[summary.decision]
    assert {each.tag.removeprefix(SVG) for each in page.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}


def test_both_halves_are_as_wide_as_their_texts_and_no_text_leaves_them():
    page = ElementTree.fromstring(render_badge(summary_of(report())))
    texts = [(float(t.get("x")), float(t.get("textLength"))) for t in page.iter(f"{SVG}text")]
    halves = [float(rect.get("width")) for rect in page.iter(f"{SVG}rect")][1:]
    assert texts[0][0] + texts[0][1] < halves[0] < texts[1][0]
    assert texts[1][0] + texts[1][1] < sum(halves) == float(page.get("width"))
