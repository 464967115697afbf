"""Numbers in words: tables and pages write them as the verdict's sentences do."""

import pytest
from owf.core.render import words
from owf.core.verdict.reasons import format_value


@pytest.mark.parametrize("unit", ["share", "relative", "delta_e", "degrees", "L*", "a*", "b*", "nats", ""])
@pytest.mark.parametrize("value", [0.0827, -8.27, 0.0])
def test_a_number_with_its_unit_reads_alike_everywhere(value, unit):
    assert words.quantity(value, unit).replace("−", "-") == format_value(value, unit)
    if value > 0:
        assert words.floor(value, unit) == format_value(value, unit)
