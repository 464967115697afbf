"""The list of what was damaged, of a report whose numbers are known."""

from dataclasses import replace

from owf.core.metrics.measurement import Part
from owf.webui import view
from report_samples import estimate, report


def damages(metric, key, **parts):
    found = report()
    measurement = found.measurements[metric]
    unit = measurement.breakdowns[key][0].estimate.unit
    rows = tuple(Part(label, estimate(value, 0.05, unit=unit)) for label, value in parts.items())
    one = replace(measurement, breakdowns={key: rows})
    return [line.partition(":")[0] for line in view._damages(replace(found, measurements={metric: one}))]


def test_classes_that_clearly_dropped_are_named_the_worst_first():
    assert damages("semantic", "class", bag=0.1, coat=0.3, dress=0.04, shirt=-0.3) == ["coat", "bag"]


def test_a_colour_is_changed_in_either_direction():
    assert damages("color", "color_term", black=0.1, red=-0.3, green=0.01) == ["red", "black"]
