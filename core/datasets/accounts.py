"""What the published sets cost in UNet evaluations, before anything is loaded. No torch."""

from ..plan.audit_plan import Stage, elimination_rows
from ..text import counted
from .dataset import Published, all_datasets

MODELS = 1 + 6 * 10
"""Models of the first table of Laria et al.: the base, and six methods on ten concepts each."""
CHURN = 0.08
"""Share of answers that changes without a net change where the worst classes of that table are mere noise: six to
eight percent explain the drops it shows for Flowers and Pets at these sizes."""


def published_sets() -> tuple[tuple[str, Published], ...]:
    """Return the published sets by name."""
    return tuple((dataset.name, dataset.published) for dataset in all_datasets() if dataset.published is not None)


def evaluations() -> tuple[int, int]:
    """Return the UNet evaluations of all sets for one model: as they are asked, and by the numbers of samples alone."""
    protocols = [published.protocol for _, published in published_sets()]
    return sum(p.evaluations for p in protocols), sum(p.nominal for p in protocols)


def account(name: str) -> str:
    """Return in a sentence what a set costs under the paper's preset; empty where the set is not published."""
    found = dict(published_sets()).get(name)
    if found is None:
        return ""
    asked, nominal = evaluations()
    protocol = found.protocol
    return (
        f"{found.title} as its classifier's authors ask it: {counted(protocol.images, 'image')}, "
        f"{protocol.evaluations:,} UNet evaluations for a model; all {len(published_sets())} sets {asked / 1e6:.1f} "
        f"million ({nominal / 1e6:.1f} million if the timesteps of each round were among those of the next)."
    )


def table(cheaper: tuple[Stage, ...]) -> list[str]:
    """Return a Markdown table: each set's subset, its evaluations as published, and with `cheaper` rounds instead."""
    heads = ("set", "classes", "images", "evaluations", "by numbers of samples", "the same images, cheaper rounds")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    sums = [0, 0, 0]
    for name, published in published_sets():
        protocol = published.protocol
        less = protocol.images * elimination_rows(protocol.classes, cheaper)
        costs = (protocol.evaluations, protocol.nominal, less)
        sums = [total + cost for total, cost in zip(sums, costs, strict=True)]
        shown = " | ".join(f"{cost:,}" for cost in costs)
        lines.append(f"| {name} | {protocol.classes} | {protocol.images} | {shown} |")
    return [*lines, "| all, for one model | | | " + " | ".join(f"{total:,}" for total in sums) + " |"]


def paired_gain(accuracy: float, churn: float = CHURN) -> float:
    """Return how many times more images two separate samples need for the interval of one paired sample, at least.

    The difference of two accuracies p over separate images has the variance 2 p (1 - p) / n. Over the same images it
    has at most churn / n, where `churn` is the share of answers that change: an image counts only where its answer
    turned right or wrong.
    """
    return 2 * accuracy * (1 - accuracy) / churn
