"""Tables and pictures of docs/preservation.md, from the runs of bench/preservation.py."""

from pathlib import Path

import numpy as np
from owf.core.metrics.statistics import mean_estimate, ratio_estimate

COLUMNS = (
    ("accuracy", "accuracy %", 100, 1),
    ("drop", "mean drop, points", 100, 1),
    ("worst_drop", "worst class drop, points", 100, 0),
    ("margin_shift", "margin shift, nats", 1, 2),
    ("drift", "denoiser drift %", 100, 2),
    ("cdi", "CDI, Delta-E", 1, 1),
    ("kid", "KID / spread %", 100, 2),
    ("diversity", "diversity", 1, 2),
    ("similarity", "concept similarity", 1, 3),
)
"""Key of a run, heading, factor, digits."""

FEW = 4
"""Runs below which an interval says nothing."""

MARKS = ("<!-- {}: written by {} -->", "<!-- end of {} -->")


def results_table(results: list[dict]) -> list[str]:
    """Return the lines of a table with one row per method: mean and half-width of the 95 % interval over runs."""
    concepts, seeds = ({r[key] for r in results} for key in ("concept", "seed"))
    counted = f"Concepts: {', '.join(sorted(concepts))}; seeds: {', '.join(map(str, sorted(seeds)))}."
    if len(concepts) * len(seeds) < FEW:
        counted += " A first look, not the comparison: too few runs for intervals."
    heads = ["method", "weight", *(head for _, head, _, _ in COLUMNS), "accuracy recovered %", "similarity kept %"]
    lines = [counted, "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for method in dict.fromkeys(r["method"] for r in results):
        runs = _runs(results, method)
        cells = [_cell([r[key] for r in runs], factor, digits) for key, _, factor, digits in COLUMNS]
        weight = f"{runs[0]['weight']:g}" if method not in ("none", "cd") else ""
        lines.append(f"| {method} | {weight} | " + " | ".join([*cells, *_against_plain(results, method)]) + " |")
    return lines


def concept_table(results: list[dict]) -> list[str]:
    """Return the accuracy drop of every method on every concept, mean and range over the seeds, in points."""
    concepts = list(dict.fromkeys(r["concept"] for r in results))
    lines = [f"| drop, points | {' | '.join(concepts)} |", "|---" * (len(concepts) + 1) + "|"]
    for method in dict.fromkeys(r["method"] for r in results):
        drops = [[100 * r["drop"] for r in _runs(results, method) if r["concept"] == c] for c in concepts]
        cells = [f"{np.mean(d):.0f} ({min(d):.0f} to {max(d):.0f})" for d in drops]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def _runs(results: list[dict], method: str) -> list[dict]:
    return sorted((r for r in results if r["method"] == method), key=lambda r: (r["concept"], r["seed"]))


def _cell(values: list[float], factor: float, digits: int) -> str:
    estimate = mean_estimate(np.array(values) * factor)
    if len(values) < FEW:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ± {estimate.high - estimate.value:.{digits}f}"


def _against_plain(results: list[dict], method: str) -> tuple[str, str]:
    """Return what share of plain training's drop the method recovers, and of its similarity it keeps."""
    plain = "cd" if method.startswith("cd") else "none"
    if method == plain:
        return "", ""
    ours, theirs = _runs(results, method), _runs(results, plain)
    drops = np.array([r["drop"] for r in theirs])
    saved = drops - np.array([r["drop"] for r in ours])
    kept = [np.array([r["similarity"] for r in runs]) for runs in (ours, theirs)]
    return _ratio(saved, drops), _ratio(*kept)


def _ratio(numerators: np.ndarray, denominators: np.ndarray) -> str:
    estimate = ratio_estimate(numerators, denominators)
    if len(numerators) < FEW:
        return f"{100 * estimate.value:.0f}"
    return f"{100 * estimate.value:.0f} ± {100 * (estimate.high - estimate.value):.0f}"


def tuning_table(results: list[dict], weights: dict[str, float]) -> list[str]:
    """Return every weight that was tried; the chosen ones are bold."""
    lines = ["| method | weight | mean drop, points | concept similarity |", "|---|---|---|---|"]
    for r in sorted(results, key=lambda r: (r["method"], r["weight"])):
        weight = f"{r['weight']:g}" if r["method"] in weights else ""
        if weights.get(r["method"]) == r["weight"]:
            weight = f"**{weight}**"
        lines.append(f"| {r['method']} | {weight} | {100 * r['drop']:.0f} | {r['similarity']:.3f} |")
    return lines


def frontier_table(results: list[dict], plain: list[dict], costs: dict[str, float]) -> list[str]:
    """Return one line per way to save: UNet time by plain training's, what is recovered and kept."""
    lines = [
        "| variant | time / plain | mean drop, points | accuracy recovered % | similarity kept % |",
        "|---|---|---|---|---|",
    ]
    both = [*plain, *results]
    for name in dict.fromkeys(r["name"] for r in results):
        runs = [r | {"method": name} for r in results if r["name"] == name]
        recovered, kept = _against_plain([*both, *runs], name)
        drop = _cell([r["drop"] for r in runs], 100, 1)
        lines.append(f"| {name} | {costs[name]:.2f} | {drop} | {recovered} | {kept} |")
    return lines


def budget_table(results: list[dict]) -> list[str]:
    """Return one line per run with a drift budget: what it ended at, by training's own prompts and by the audit's."""
    lines = [
        "| budget % | concept | drift on training's held-out prompts % | in the audit % | last weight | drop, points | "
        "concept similarity |",
        "|---" * 7 + "|",
    ]
    rows = [(dict(map(tuple, r["options"]))["drift_budget"], r) for r in results]
    for budget, r in sorted(rows, key=lambda row: (row[0], row[1]["concept"])):
        lines.append(
            f"| {100 * budget:g} | {r['concept']} | {100 * r['watched_drift']:.3f} | {100 * r['drift']:.3f} | "
            f"{r['last_dc_weight']:.2g} | {100 * r['drop']:.0f} | {r['similarity']:.3f} |"
        )
    return lines


def draw_scatter(results: list[dict], path: Path) -> None:
    """Write the picture: accuracy drop against concept similarity, one point per method with 95 % intervals."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), dpi=110)
    for method in dict.fromkeys(r["method"] for r in results):
        runs = _runs(results, method)
        drop = mean_estimate(np.array([100 * r["drop"] for r in runs]))
        similarity = mean_estimate(np.array([r["similarity"] for r in runs]))
        bars = {"xerr": similarity.high - similarity.value, "yerr": drop.high - drop.value} if len(runs) >= FEW else {}
        axes.errorbar(similarity.value, drop.value, fmt="o", capsize=3, label=method, **bars)
        axes.annotate(method, (similarity.value, drop.value), textcoords="offset points", xytext=(6, 5))
    axes.set_xlabel("concept similarity to held-out views (right is better)")
    axes.set_ylabel("zero-shot accuracy lost, points (down is better)")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def replace_block(page: Path, name: str, command: str, lines: list[str]) -> None:
    """Put lines between the two marks of a block in a Markdown page; raise ValueError where it has none."""
    text = page.read_text()
    start, end = MARKS[0].format(name, command), MARKS[1].format(name)
    if start not in text or end not in text:
        raise ValueError(f"{page} has no block between {start!r} and {end!r}")
    head, rest = text.split(start, 1)
    tail = rest.split(end, 1)[1]
    page.write_text(head + "\n".join([start, "", *lines, "", end]) + tail)
