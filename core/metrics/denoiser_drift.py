"""Did the function change where it should not? Tuned against base on the same noised latents; no sampling."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..plan.audit_plan import AuditPlan
from .evidence import Predictions
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import DISTANCE, ratio_estimate

VERSION = 1
"""Version of the definition in docs/metrics.md."""

BANDS = 4
"""Timestep bands of the breakdown, from the cleanest quarter to the noisiest."""


@dataclass(frozen=True)
class DriftRows:
    """Squared norms of every prediction and of its change."""

    groups: tuple[str, ...]
    """Group of each of the P prompts."""
    change: np.ndarray
    """(P, T) squared norm of tuned minus base prediction."""
    norm: np.ndarray
    """(P, T) squared norm of the base prediction."""
    floor: np.ndarray
    """(P', T) squared norm of the change when the base is run again in other batches, for the first P' prompts."""


def squared_norms(a: np.ndarray) -> np.ndarray:
    """Return the squared norm (T,) of each prediction (T, C, h, w), summed in float64."""
    return np.square(a.astype(np.float64)).reshape(len(a), -1).sum(axis=1)


def summarise_drift(rows: DriftRows) -> Measurement:
    """Return E |tuned - base|^2 / E |base|^2 overall, by timestep band and by prompt group.

    The prompt is the independent unit. The floor is what floating-point arithmetic alone changes.
    """
    floor = float(rows.floor.sum() / rows.norm[: len(rows.floor)].sum())
    with np.errstate(divide="ignore", invalid="ignore"):  # a prompt alone may be predicted as nothing at all
        by_prompt = rows.change.sum(1) / rows.norm.sum(1)
    return Measurement(
        "denoiser_drift",
        VERSION,
        headline="drift",
        estimates={"drift": replace(_drift(rows.change, rows.norm), floor=floor)},
        breakdowns={"timestep": _bands(rows), "prompt_group": _groups(rows)},
        facts={"prompts": len(rows.groups), "timesteps": rows.change.shape[1]},
        prompts={"drift": tuple(by_prompt.tolist())},
    )


def _drift(change: np.ndarray, norm: np.ndarray) -> Estimate:
    """Return the ratio of sums over prompts and timesteps of two (P, T); squared norms are never negative."""
    return ratio_estimate(change.sum(1), norm.sum(1), "relative", within=DISTANCE)


def _bands(rows: DriftRows) -> tuple[Part, ...]:
    count = rows.change.shape[1]
    bands = min(BANDS, count)
    edges = [round(i * count / bands) for i in range(bands + 1)]
    parts = []
    for first, last in pairwise(edges):
        label = f"{round(1000 * first / count)}-{round(1000 * last / count)}"
        parts.append(Part(label, _drift(rows.change[:, first:last], rows.norm[:, first:last])))
    return tuple(parts)


def _groups(rows: DriftRows) -> tuple[Part, ...]:
    names = sorted(set(rows.groups))
    member = {name: np.array([g == name for g in rows.groups]) for name in names}
    return tuple(Part(name, _drift(rows.change[member[name]], rows.norm[member[name]])) for name in names)


def measure_drift(plan: AuditPlan, tools: Tools, seen: Predictions) -> Measurement:
    """Return how far the tuned model's predictions are from the base's."""
    change = [squared_norms(b - a) for a, b in zip(seen.base, seen.tuned, strict=True)]
    again = [squared_norms(b - a) for a, b in zip(seen.base, seen.again, strict=False)]
    norm = [squared_norms(a) for a in seen.base]
    groups = tuple(prompt.group for prompt in plan.prompts)
    return summarise_drift(DriftRows(groups, np.stack(change), np.stack(norm), np.stack(again)))


METRIC = Metric(
    name="denoiser_drift",
    order=20,
    title="Denoiser",
    question="Did the model change where it should not?",
    reading="How much of its prediction changed on prompts that do not name the concept: the squared change relative "
    "to the squared prediction. Zero means that the base is untouched there.",
    needs=(Predictions,),
    measure=measure_drift,
    quantities={
        # One per cent: a convention, argued in docs/metrics.md.
        "drift": Quantity(
            "Denoiser drift", "change of the denoiser on concept-free prompts", limit=0.01, metadata="denoiser_drift"
        )
    },
    breakdowns={
        "timestep": Breakdown(
            "When the denoiser changed: drift by timestep",
            "High timesteps are nearly pure noise and settle layout and colour; low ones settle detail.",
            reference="overall",
        ),
        "prompt_group": Breakdown(
            "On which prompts: drift by prompt group",
            "None of these prompts names the concept.",
            worst_first=True,
            reference="overall",
        ),
    },
)
