"""How bench/preservation.py compares methods: where they have learned equally."""

import pytest
from preserving.preservation_report import chosen_weights, equal_table, lost_at_level


def run(method, steps, learned, drop, seed=0, **more):
    lost = {"drop": drop, "worst_drop": drop, "drift": drop, "cdi": drop}
    return {"method": method, "concept": "bag", "seed": seed, "steps": steps, "learned": learned} | lost | more


def test_what_never_learned_as_much_loses_nothing_that_counts():
    results = [run("none", 100, 1.0, 0.4), run("dc", 100, 0.1, 0.0), run("dc", 100, 1.0, 0.04, seed=1)]
    assert lost_at_level(results, "dc", "drop") == {("bag", 1): pytest.approx(0.03)}


def test_a_method_that_only_learns_more_slowly_keeps_nothing():
    """At the same length it has lost half as much; where both have learned as much it has lost the same."""
    lengths = [(steps, seed) for steps in (100, 200, 400) for seed in range(4)]
    plain = [run("none", steps, steps / 200, (1 + seed) * steps / 1000, seed) for steps, seed in lengths]
    slow = [run("slow", steps, steps / 400, (1 + seed) * steps / 2000, seed) for steps, seed in lengths]
    line = equal_table(plain + slow)[-1]
    assert line.startswith("| slow | 4 of 4 | 37.5 ± ")
    assert line.endswith("| 0 (0 to 0) |")


def test_of_the_weights_that_learn_the_one_that_loses_least_is_chosen():
    tried = [
        run("l2", 200, 0.9, 0.3, weight=1.0),
        run("l2", 200, 0.8, 0.1, weight=2.0),
        run("l2", 200, 0.1, 0, weight=4),
    ]
    assert chosen_weights(tried) == {"l2": 2.0}
    assert chosen_weights(tried[2:]) == {"l2": 4}
