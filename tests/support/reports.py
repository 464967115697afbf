"""Numbers of reports, to be compared between two programs."""

import math


def numbers(report: dict) -> dict[str, float]:
    """Return every estimate of a report, its interval and floor too, by path."""
    found = {}
    for metric, measurement in report["measurements"].items():
        named = [(name, e) for name, e in measurement["estimates"].items()]
        for kind, parts in measurement["breakdowns"].items():
            named += [(f"{kind}.{part['label']}", part["estimate"]) for part in parts]
        for name, estimate in named:
            for field in ("value", "low", "high", "floor"):
                if estimate[field] is not None:
                    found[f"{metric}.{name}.{field}"] = estimate[field]
    return found


def close(name: str, shift: float = 1e-3) -> dict[str, float]:
    """Return how near a number must be: values to 1e-4 of themselves, or of a metric's own scale near 0.

    A pixel that rounds the other way is one in 30,000; an interval of the four prompts of one colour sees it more.
    Shifts of colours are degrees and Delta-E, of which nobody sees a thousandth (`shift`). What the map says of one
    concept stands on a few rows, and 1 is the whole way to another concept.
    """
    scale = {"color_shift": shift, "map": 1e-3}.get(name.partition(".")[0], 2e-5)
    return {"rel_tol": 1e-4 if name.endswith(".value") else 1e-3, "abs_tol": scale}


def apart(ours: dict, theirs: dict, shift: float = 1e-3) -> dict[str, tuple[float, float]]:
    """Return the numbers of two reports, which have the same, that are not close to each other, by path."""
    found, expected = numbers(ours), numbers(theirs)
    assert found.keys() == expected.keys()
    # The floor of denoiser_drift is floating-point noise itself, different on any two implementations.
    compared = [name for name in expected if name != "denoiser_drift.drift.floor"]
    both = {name: (found[name], expected[name]) for name in compared}
    return {name: pair for name, pair in both.items() if not math.isclose(*pair, **close(name, shift))}
