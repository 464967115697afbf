"""Estimates as bars: their order, in the report of a fresh audit and in one that was read."""

from owf.core.render.bars import bars
from owf.core.verdict.report import parse_report, to_json
from report_samples import mapped_report


def test_bars_come_in_the_metrics_own_order_from_a_file_too():
    report = mapped_report()
    titles = [bar["title"] for bar in bars(report)]
    assert titles == [bar["title"] for bar in bars(parse_report(to_json(report), "a test"))]
    ranks = {"Worst damage": 0, "Damage of all": 1, "Confusion": 2, "Damaged concepts": 3}
    seen = [ranks[title] for title in titles if title in ranks]
    assert len(seen) > 1 and seen == sorted(seen)
