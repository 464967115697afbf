"""The registry of metrics: what each record promises, and that reading it takes no torch."""

import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from owf.core.errors import UsageError
from owf.core.metrics.measurement import Measurement
from owf.core.metrics.metric import all_metrics, chosen, needed
from owf.core.plan.presets import METRICS, in_order

TESTS = Path(__file__).resolve().parent.parent


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
    with pytest.raises(UsageError, match=r"'fid'.*semantic, denoiser_drift, color, kid"):
        chosen(["kid", "fid"])


def test_verdicts_and_words_take_no_torch():
    code = (
        "from owf.core.render import words; from owf.core.verdict.verdict import default_policy; "
        "assert words.metric_words('kid').title and default_policy().limits; assert 'torch' not in sys.modules"
    )
    bind = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import conftest; "
    subprocess.run([sys.executable, "-c", bind + code], check=True)
