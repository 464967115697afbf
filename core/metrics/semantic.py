"""Does the model still know other things? Zero-shot classification with the diffusion model itself."""

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidError, Setting
from ..plan.audit_plan import AuditPlan
from .evidence import Answers
from .measurement import Estimate, Measurement, Part
from .metric import Breakdown, Metric, Quantity, Tools
from .statistics import accuracy_estimate, drop_estimate, mean_estimate, simultaneous_level

VERSION = 1
"""Version of the definition in docs/metrics.md."""


def predicted_class(errors: np.ndarray) -> int:
    """Return the class that an image's errors (K, T) choose: the smallest mean among those that saw every timestep."""
    complete = np.flatnonzero(~np.isnan(errors).any(axis=1))
    means = errors[complete].astype(np.float64).mean(axis=1)
    return int(complete[np.argmin(means)])


@dataclass(frozen=True)
class SemanticRows:
    """Denoising errors of every labelled image."""

    classes: tuple[str, ...]
    """Class names."""
    labels: np.ndarray
    """(N,) true classes."""
    base: np.ndarray
    """(N, K, T) errors of the base."""
    tuned: np.ndarray
    """(N, K, T) errors of the tuned model, same images and noise."""
    other: np.ndarray | None
    """(N, K, T) errors of the base with other noise: the noise floor."""


def summarise_semantic(rows: SemanticRows) -> Measurement:
    """Return accuracy before and after, its paired drop, per-class drops, the worst class and the margin shift.

    Raises InvalidError if the base does not tell the classes apart better than chance, because a model that
    knows nothing has nothing to forget.
    """
    base, tuned = _right(rows.base, rows.labels), _right(rows.tuned, rows.labels)
    other = None if rows.other is None else _right(rows.other, rows.labels)
    accuracy = accuracy_estimate(base)
    _require_above_chance(accuracy, len(rows.classes))
    parts = _class_drops(rows, base, tuned, other)
    worst = max(parts, key=lambda part: part.estimate.value)
    temperature = fit_temperature(mean_errors(rows.base), rows.labels)
    drop = drop_estimate(base, tuned)
    return Measurement(
        "semantic",
        VERSION,
        headline="accuracy_drop",
        estimates={
            "accuracy_base": accuracy,
            "accuracy_tuned": accuracy_estimate(tuned),
            "accuracy_drop": _with_floor(drop, None if other is None else abs(float(base.mean() - other.mean()))),
            "worst_class_drop": worst.estimate,
            "margin_shift": _margin_shift(rows, temperature),
        },
        breakdowns={"class": parts},
        facts={
            "classes": len(rows.classes),
            "images": len(rows.labels),
            "worst_class": worst.label,
            "temperature": temperature,
            "answers_changed": int((_answers(rows.base) != _answers(rows.tuned)).sum()),
        },
    )


def _answers(errors: np.ndarray) -> np.ndarray:
    return np.array([predicted_class(e) for e in errors])


def _right(errors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _answers(errors) == labels


def _require_above_chance(accuracy: Estimate, classes: int) -> None:
    if accuracy.low <= 1 / classes:
        raise InvalidError(
            f"The base recognises {100 * accuracy.value:.0f} % of {accuracy.n} labelled images, not shown to be "
            f"better than chance ({100 / classes:.0f} %), so forgetting cannot be seen. Use more images per class, "
            "other images or another base.",
            Setting("per_class"),
            Setting("images"),
            Setting("base"),
        )


def _class_drops(rows: SemanticRows, base: np.ndarray, tuned: np.ndarray, other: np.ndarray | None) -> tuple[Part, ...]:
    """Return the paired drop of each class; intervals hold for all classes together.

    The floor of every class is the largest drop that any class shows for base against base, since the worst of
    many classes is what a reader looks at.
    """
    groups = [rows.labels == k for k in range(len(rows.classes))]
    level = simultaneous_level(len(groups))
    floor = None
    if other is not None:
        floor = max(float(base[g].mean() - other[g].mean()) for g in groups)
    return tuple(
        Part(name, _with_floor(drop_estimate(base[g], tuned[g], level), floor))
        for name, g in zip(rows.classes, groups, strict=True)
    )


def _with_floor(estimate: Estimate, floor: float | None) -> Estimate:
    return Estimate(estimate.value, estimate.low, estimate.high, estimate.n, estimate.unit, floor)


def mean_errors(errors: np.ndarray) -> np.ndarray:
    """Return the mean error (N, K) over the timesteps that every class of every image saw: no cell is missing."""
    dense = ~np.isnan(errors).any(axis=(0, 1))
    return errors[:, :, dense].astype(np.float64).mean(axis=2)


def log_posterior(errors: np.ndarray, temperature: float) -> np.ndarray:
    """Return log p(class | image) (N, K) for mean errors (N, K): softmax of -errors * temperature."""
    logits = -errors * temperature
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def fit_temperature(errors: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that maximises the likelihood of the labels, so that the posterior is calibrated.

    Labels are smoothed to (n + 1) / (n + K) as in Platt scaling (Platt 1999): a base that answers every image right
    would otherwise get an infinite temperature, whose posterior sees no change at all.
    """
    from scipy.optimize import minimize_scalar

    scale = 1 / max(float(np.ptp(errors, axis=1).mean()), 1e-12)
    n, k = errors.shape
    weights = np.full((n, k), 1 / (n + k))
    weights[np.arange(n), labels] = (n + 1) / (n + k)

    def loss(log_temperature: float) -> float:
        return -float((weights * log_posterior(errors, scale * np.exp(log_temperature))).sum()) / n

    found = minimize_scalar(loss, bounds=(-6.0, 8.0), method="bounded")
    return float(scale * np.exp(found.x))


def _margin_shift(rows: SemanticRows, temperature: float) -> Estimate:
    """Return the mean change of the true class's log-posterior in nats; negative is worse."""
    shift = true_log_posterior(rows.tuned, rows.labels, temperature)
    shift -= true_log_posterior(rows.base, rows.labels, temperature)
    floor = None
    if rows.other is not None:
        other = true_log_posterior(rows.other, rows.labels, temperature)
        floor = abs(float((other - true_log_posterior(rows.base, rows.labels, temperature)).mean()))
    return _with_floor(mean_estimate(shift, "nats"), floor)


def true_log_posterior(errors: np.ndarray, labels: np.ndarray, temperature: float) -> np.ndarray:
    """Return log p(true class) (N,) for errors (N, K, T)."""
    return log_posterior(mean_errors(errors), temperature)[np.arange(len(labels)), labels]


def measure_semantic(plan: AuditPlan, tools: Tools, seen: Answers) -> Measurement:
    """Return what the tuned model answers about the labelled images, against the base's answers."""
    labelled = seen.labelled
    return summarise_semantic(SemanticRows(labelled.classes, labelled.labels, seen.base, seen.tuned, seen.other))


METRIC = Metric(
    name="semantic",
    order=10,
    title="Knowledge",
    question="Does the model still know other things?",
    reading="The model itself names what labelled images show, before and after. The drop counts the answers lost "
    "on the same images. The margin shift is the change of its confidence in the right answer: below zero "
    "means less sure, and it shows damage before answers flip.",
    needs=(Answers,),
    measure=measure_semantic,
    shows_knowledge=True,
    quantities={
        "accuracy_base": Quantity("Accuracy, base", is_level=True),
        "accuracy_tuned": Quantity("Accuracy, LoRA", is_level=True),
        # Ten points are the failure sign named by Laria et al. (arXiv 2410.14159).
        "accuracy_drop": Quantity("Accuracy drop", "zero-shot accuracy drop", limit=0.10, metadata="accuracy_drop"),
        # Of few images a class, the worst of ten loses points by chance alone: only an alarm.
        "worst_class_drop": Quantity(
            "Worst class drop",
            "accuracy drop of the worst class",
            limit=0.25,
            test="alarm",
            metadata="worst_class_drop",
            names="worst_class",
        ),
        "margin_shift": Quantity("Margin shift"),
    },
    breakdowns={
        "class": Breakdown(
            "What it forgot: accuracy drop by class",
            "Points of accuracy that each class lost, worst first. To the right of zero is forgetting. The intervals "
            "hold for all classes together, so they are wide; a filled point means that zero lies outside.",
            worst_first=True,
            in_terminal="Forgotten most",
            in_columns=True,
        )
    },
)
