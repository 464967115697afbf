"""The page of curves: every LoRA of several strengths, its limit where it lies, and no text of a stranger."""

import re

import pytest
import report_samples as samples
from owf.core.ledger.row import Number, Row
from owf.core.ledger.sweep import sweeps
from owf.core.render.html.overview.leaderboard import render_leaderboard
from owf.core.render.html.overview.strengths import render_strengths, write_strengths


def row(strength, value, name="a.safetensors", metric="color", estimate="cdi"):
    decision = "DRIFT" if value > 1.2 else "PASS" if value <= 0.8 else "INCONCLUSIVE"
    number = Number(metric, estimate, value, value - 0.2, value + 0.2, 9, "delta_e", None, 1.0, decision)
    return Row(name, name, "9f", strength, "", "ask", "complete", decision, numbers=(number,))


def test_a_chart_puts_strength_limit_and_interval_where_they_belong():
    page = render_strengths(sweeps([row(0.5, 1.0), row(1.0, 2.0)]))
    # The strengths 0 to 1 lie on pixels 46 to 292, and the values 0 to 2.2 on pixels 148 to 12: 0.5 and the limit 1.
    assert re.search(r'<path class="curve" d="M169.0 86.2L292.0 24.4"/>', page)
    assert re.search(r'<line class="limit" x1="46" y1="86.2"', page)
    # Value 2 s, interval 2 s - 0.2 to 2 s + 0.2: at its limit at 0.5, which is the weakest; the strip ends at 0.6.
    assert "drifts at 1: the largest strength that passes lies between" not in page  # INCONCLUSIVE at the weakest
    assert page.count("<figure>") == 1


def test_without_several_strengths_there_is_no_page(tmp_path):
    assert write_strengths(lambda: [row(1.0, 0.5), row(1.0, 0.5, "b")], tmp_path) is None
    assert write_strengths(lambda: [row(0.5, 0.1), row(1.0, 0.5)], tmp_path) == tmp_path / "strengths.html"


@pytest.mark.parametrize("value", [0.0, 1e300, float("inf"), -5.0])
def test_any_number_is_drawn(value):
    page = render_strengths(sweeps([row(0.0, 0.0), row(1.0, value)]))
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_no_text_of_a_stranger_leaves_its_place():
    bad = " ".join(samples.HOSTILE)
    page = render_strengths(sweeps([row(s, 2 * s, bad, bad, bad) for s in (0.25, 1.0)]))
    assert "<script" not in page and "<img src=x" not in page
    assert all(char.isprintable() or char == "\n" for char in page)


def test_the_leaderboard_names_the_largest_strength_that_passes():
    page = render_leaderboard([row(0.25, 0.5), row(1.0, 2.0), row(1.0, 0.1, "b")])
    assert page.count('"0.5 (0.4 to 0.6)"') == 2
