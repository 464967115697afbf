"""The registry of metrics: what each record promises, and that reading it takes no torch."""

from typing import get_type_hints

import pytest
from imports import heavy_imports
from owf.core.errors import UsageError
from owf.core.metrics.measurement import Measurement
from owf.core.metrics.metric import all_metrics, chosen, needed
from owf.core.plan.presets import METRICS, in_order


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda metric: metric.name)
def test_a_metric_takes_exactly_the_evidence_it_asks_for(metric):
    hints = get_type_hints(metric.measure)
    assert hints.pop("return") is Measurement
    assert tuple(hints.values())[2:] == metric.needs
    assert metric.needs and metric.quantities


def test_the_presets_measure_known_metrics_in_one_order():
    assert needed(METRICS) == {kind for metric in chosen(METRICS) for kind in metric.needs}
    assert in_order(reversed(METRICS)) == METRICS
    assert in_order(["lpips", "color", "dino_drift", "semantic"]) == ("semantic", "color", "dino_drift", "lpips")
    assert len({metric.order for metric in all_metrics()}) == len(all_metrics())


def test_an_unknown_metric_is_named_with_the_known_ones():
    with pytest.raises(UsageError, match=r"'fid'.*semantic, denoiser_drift, color, color_shift, color_asked, kid"):
        chosen(["kid", "fid"])


def test_verdicts_and_words_take_no_torch():
    words, limits = 'owf.core.render.words:metric_words:"kid"', "owf.core.verdict.policy:default_policy"
    assert "torch" not in heavy_imports(words, limits)
