"""The order of rows: by verdict, then by how near the worst number is to its limit."""

import math

from owf.core.ledger.rank import nearest, worst_first
from owf.core.ledger.row import COMPLETE, Number, Row


def number(value, limit=None, name="drift"):
    return Number("denoiser_drift", name, value, 0.0, 1.0, 8, limit=limit)


def row(name, verdict, *numbers):
    return Row(name, "", "", 1.0, "", "", COMPLETE, verdict, numbers=numbers)


def test_the_number_nearest_to_its_limit_is_named():
    far, near = number(0.9, 1.8, "a"), number(0.3, 0.5, "b")  # 0.5 and 0.6 of their limits
    assert nearest(row("x", "PASS", number(5.0), far, near, number(math.nan, 1.0))) == near
    assert nearest(row("x", "INVALID")) is None and nearest(row("x", "PASS", number(1.0))) is None


def test_the_worst_come_first():
    rows = [
        row("harmless", "PASS", number(0.1, 1.0)),
        row("nearly", "PASS", number(0.9, 1.0)),
        row("undecided", "INCONCLUSIVE", number(0.5, 1.0)),
        row("bad", "DRIFT", number(2.0, 1.0)),
        row("worse", "DRIFT", number(1.5, 0.5)),
        row("strange", "of a later version"),
    ]
    names = [each.name for each in worst_first(rows)]
    assert names.index("worse") < names.index("bad") < names.index("undecided") < names.index("nearly")
    assert names[-2:] == ["harmless", "strange"]
