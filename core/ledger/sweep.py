"""Which strengths of a LoRA pass: from verdicts at some of them, and no further than these say. No torch."""

from collections.abc import Iterable

from ..verdict.verdict import DRIFT, PASS


def passing(verdicts: Iterable[tuple[float, str]]) -> list[float]:
    """Return the strengths at which a LoRA passes, the weakest first, up to the first at which it does not."""
    found = []
    for strength, decision in sorted(verdicts, key=lambda verdict: abs(verdict[0])):
        if decision != PASS:
            break
        found.append(strength)
    return found


def largest_passing(verdicts: Iterable[tuple[float, str]]) -> str:
    """Return in words up to which strength a LoRA passes, and from which on it drifts.

    A strength counts as passing if every smaller one that was asked passes too, and as drifting if it is DRIFT. What
    lies between the largest of the first and the smallest of the second is what these strengths leave open.
    """
    ordered = sorted(verdicts, key=lambda verdict: abs(verdict[0]))
    passes = passing(ordered)
    after = ordered[len(passes) :]
    drifting = next((strength for strength, decision in after if decision == DRIFT), None)
    if not after:
        return f"passes at every strength that was asked, up to {ordered[-1][0]:g}."
    last = passes[-1] if passes else None
    said = "passes at none of these strengths" if last is None else f"passes up to {last:g}"
    if drifting is None:
        return f"{said}, and whether it drifts at {after[0][0]:g} is not decided."
    if last is None:
        return f"{said}, and drifts at {drifting:g}."
    return f"{said}, and drifts at {drifting:g}: the largest strength that passes lies between."
