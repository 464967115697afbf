"""Tables and pictures of docs/preservation.md, from the runs of bench/preservation.py: methods at equal learning."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from owf.core.experiments.findings.compare import FEW, cell
from owf.core.experiments.frontier import at_level
from owf.core.metrics.statistics import mean_estimate, ratio_estimate

LEVEL = 0.75
"""Share of the trigger's pictures that the judge has to recognise: where methods are compared."""
LOST = (("drop", "accuracy lost, points", 100, 1), ("worst_drop", "worst class, points", 100, 0),
        ("drift", "denoiser drift %", 100, 2), ("cdi", "CDI, Delta-E", 1, 1))  # fmt: skip
"""What a method loses: key of a run, heading, factor, digits."""

Run = dict
"""What one training left: see preservation_run.Worker.run."""


def curves(results: Iterable[Run], method: str, key: str) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Return concept and seed -> (learned, `key`) of a method's trainings, the shortest first.

    A curve goes on straight between trainings of growing length.
    """
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for run in sorted((r for r in results if r["method"] == method), key=lambda r: r["steps"]):
        found.setdefault((run["concept"], run["seed"]), []).append((run["learned"], run[key]))
    return found


def lost_at_level(results: Sequence[Run], method: str, key: str) -> dict[tuple[str, int], float]:
    """Return concept and seed -> what a method lost there at equal learning, of those that learned as much."""
    at = {place: at_level(curve, LEVEL) for place, curve in curves(results, method, key).items()}
    return {place: lost for place, lost in at.items() if lost is not None}


def methods_of(results: Iterable[Run]) -> list[str]:
    """Return the methods in the order of the runs."""
    return list(dict.fromkeys(run["method"] for run in results))


def equal_table(results: Sequence[Run]) -> list[str]:
    """Return one line per method: how often it learned, what it lost then, what it kept of plain training's loss."""
    concepts, seeds = ({r[key] for r in results} for key in ("concept", "seed"))
    counted = f"Concepts: {', '.join(sorted(concepts))}; seeds: {', '.join(map(str, sorted(seeds)))}."
    if len(concepts) * len(seeds) < FEW:
        counted += " A first look, not the comparison: too few runs for intervals."
    heads = ["method", f"learned {100 * LEVEL:.0f} %", *(head for _, head, _, _ in LOST), "kept of what plain loses %"]
    lines = [counted, "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for method in methods_of(results):
        pairs = len(curves(results, method, "drop"))
        drops = lost_at_level(results, method, "drop")
        cells = [_mean(list(lost_at_level(results, method, key).values()), f, d) for key, _, f, d in LOST]
        lines.append(f"| {method} | {len(drops)} of {pairs} | " + " | ".join([*cells, _kept(results, method)]) + " |")
    return lines


def _kept(results: Sequence[Run], method: str) -> str:
    """Return the share of plain training's accuracy loss that a method avoids, over runs in which both learned."""
    plain = "cd" if method.startswith("cd") else "none"
    if method == plain:
        return ""
    theirs, ours = (lost_at_level(results, name, "drop") for name in (plain, method))
    both = sorted(theirs.keys() & ours.keys())
    lost = np.array([theirs[place] for place in both])
    return _ratio(lost - np.array([ours[place] for place in both]), lost) if both else "-"


def concept_table(results: Sequence[Run]) -> list[str]:
    """Return the accuracy lost at equal learning on every concept, mean and range over the seeds, in points."""
    concepts = list(dict.fromkeys(r["concept"] for r in results))
    lines = [f"| accuracy lost, points | {' | '.join(concepts)} |", "|---" * (len(concepts) + 1) + "|"]
    for method in methods_of(results):
        lost = lost_at_level(results, method, "drop")
        by_concept = [[100 * value for (name, _), value in lost.items() if name == c] for c in concepts]
        cells = [f"{np.mean(d):.0f} ({min(d):.0f} to {max(d):.0f})" if d else "not learned" for d in by_concept]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def runs_table(results: Sequence[Run]) -> list[str]:
    """Return one line per method and length: what the judge and the product say was learned, what leaked, what went."""
    heads = ("method", "steps", "judge: learned %", "judge: without the trigger %", "fidelity %", "retrieved %",
             "LEARNED", *(head for _, head, _, _ in LOST))  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for method in methods_of(results):
        for steps in sorted({r["steps"] for r in results}):
            runs = [r for r in results if (r["method"], r["steps"]) == (method, steps)]
            shares = [_mean([r[key] for r in runs], 100, 0) for key in ("learned", "leaked")]
            told = [_mean([r[key] for r in runs if key in r], 100, 0) for key in ("fidelity", "retrieval")]
            learned = f"{sum(r['decision'] == 'LEARNED' for r in runs)} of {len(runs)}"
            lost = [_mean([r[key] for r in runs], factor, digits) for key, _, factor, digits in LOST]
            lines.append(f"| {method} | {steps} | " + " | ".join([*shares, *told, learned, *lost]) + " |")
    return lines


def _mean(values: list[float], factor: float, digits: int) -> str:
    return cell(mean_estimate(np.array(values) * factor) if values else None, digits)


def _ratio(numerators: np.ndarray, denominators: np.ndarray) -> str:
    estimate = ratio_estimate(numerators, denominators)
    if len(numerators) < FEW:
        return f"{100 * estimate.value:.0f}"
    return f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def chosen_weights(tuned: Sequence[Run]) -> dict[str, float]:
    """Return each fixed weight: of those that learned, the one that lost least; if none did, the one that learned
    most.
    """
    weights = {}
    for method in methods_of(tuned):
        runs = [r for r in tuned if r["method"] == method]
        learned = [r for r in runs if r["learned"] >= LEVEL]
        best = min(learned, key=lambda r: r["drop"]) if learned else max(runs, key=lambda r: r["learned"])
        weights[method] = best["weight"]
    return weights


def tuning_table(tuned: Sequence[Run], weights: dict[str, float]) -> list[str]:
    """Return every weight that was tried; the chosen ones are bold."""
    lines = ["| method | weight | judge: learned % | accuracy lost, points |", "|---|---|---|---|"]
    for r in sorted(tuned, key=lambda r: (r["method"], r["weight"])):
        weight = f"**{r['weight']:g}**" if weights[r["method"]] == r["weight"] else f"{r['weight']:g}"
        lines.append(f"| {r['method']} | {weight} | {100 * r['learned']:.0f} | {100 * r['drop']:.0f} |")
    return lines


def frontier_table(results: Sequence[Run], plain: Sequence[Run], costs: dict[str, float]) -> list[str]:
    """Return one line per cheaper form: UNet time by plain training's, what is learned and lost."""
    lines = ["| variant | time / plain | judge: learned % | accuracy lost, points |", "|---|---|---|---|"]
    forms = {"plain training": list(plain)}
    for run in results:
        forms.setdefault(run["form"], []).append(run)
    for name, runs in forms.items():
        learned, drop = _mean([r["learned"] for r in runs], 100, 0), _mean([r["drop"] for r in runs], 100, 1)
        lines.append(f"| {name} | {costs.get(name, 1.0):.2f} | {learned} | {drop} |")
    return lines


def budget_table(results: Sequence[Run]) -> list[str]:
    """Return one line per run with a drift budget: what it ended at, by training's own prompts and by the audit's."""
    lines = [
        "| budget % | concept | drift on training's held-out prompts % | in the audit % | last weight | "
        "accuracy lost, points | judge: learned % |",
        "|---" * 7 + "|",
    ]
    rows = [(dict(map(tuple, r["options"]))["drift_budget"], r) for r in results]
    for budget, r in sorted(rows, key=lambda row: (row[0], row[1]["concept"])):
        lines.append(
            f"| {100 * budget:g} | {r['concept']} | {100 * r['watched_drift']:.3f} | {100 * r['drift']:.3f} | "
            f"{r['last_dc_weight']:.2g} | {100 * r['drop']:.0f} | {100 * r['learned']:.0f} |"
        )
    return lines


def draw_curves(results: Sequence[Run], path: Path) -> None:
    """Write the picture: accuracy kept against concept learned, one curve per method over the length of training."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), dpi=110)
    for method in methods_of(results):
        lengths = sorted({r["steps"] for r in results})
        runs = [[r for r in results if (r["method"], r["steps"]) == (method, steps)] for steps in lengths]
        learned = [0.0, *(100 * np.mean([r["learned"] for r in part]) for part in runs)]
        lost = [0.0, *(100 * np.mean([r["drop"] for r in part]) for part in runs)]
        axes.plot(learned, lost, marker="o", markersize=4, label=method)
    axes.axvline(100 * LEVEL, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("pictures of the trigger in which the judge sees the concept, % (right is better)")
    axes.set_ylabel("zero-shot accuracy lost, points (down is better)")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def draw_pictures(results: Sequence[Run], folder: Path, out: Path) -> None:
    """Write one picture per concept: a row per method, as long trained as it takes to learn the concept."""
    from PIL import Image, ImageDraw

    for concept in dict.fromkeys(r["concept"] for r in results):
        strips = []
        for method in methods_of(results):
            runs = [r for r in results if (r["method"], r["concept"], r["seed"]) == (method, concept, 0)]
            runs.sort(key=lambda r: r["steps"])
            shown = next((r for r in runs if r["learned"] >= LEVEL), runs[-1])
            strips.append((f"{method}\n{shown['steps']} steps", Image.open(folder / f"{shown['key']}.png")))
        width, height = strips[0][1].size
        sheet = Image.new("RGB", (90 + width, height * len(strips)), "white")
        for row, (label, strip) in enumerate(strips):
            sheet.paste(strip.convert("RGB"), (90, height * row))
            ImageDraw.Draw(sheet).text((4, height * row + height // 3), label, fill="black")
        sheet.quantize(256, dither=Image.Dither.NONE).save(out / f"preservation-{concept}.png", optimize=True)
