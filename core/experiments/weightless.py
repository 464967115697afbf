"""Methods that change no weights: how much do they make a model forget, and do they learn as well?

Textual inversion learns the embedding of one word and leaves every prompt without it as it is: that it moves nothing
there is its construction, and the audit shows that it holds. Reference attention learns nothing and looks at a picture
of the concept while it is on, whatever the prompt is: what it damages is damaged for as long.
"""

from collections.abc import Sequence
from dataclasses import replace

from .. import families
from ..errors import Setting, UsageError
from .experiment import Experiment, Findings
from .findings.compare import SHARE, counted_runs, learned_cell, mean_cell, mean_of, rows_of, table
from .findings.figure import Figure, Series
from .jobs.job import INVERSION, LORA, REFERENCE, Job, Lesson, Result
from .jobs.learning_methods import learns_words, taught
from .jobs.study import ConceptPictures, Study

METRICS = ("denoiser_drift", "semantic", "color", "kid")
RATE = 5e-3
"""Learning rate of textual inversion: the base rate of its authors, who multiply it by their batch."""
ROWS = {
    "LoRA": (LORA, ()),
    "LoRA with drift correction": (LORA, ("dc",)),
    "textual inversion": (INVERSION, ()),
    "reference attention": (REFERENCE, ()),
}
"""Row -> how it is taught, and preservation terms."""
SHOWN = (("fidelity", "fidelity %", SHARE, 0), ("drift", "denoiser drift %", SHARE, 2),
         ("accuracy_drop", "accuracy lost, points", SHARE, 1), ("worst_class_drop", "worst class, points", SHARE, 0),
         ("cdi", "CDI, Delta-E", 1.0, 1), ("kid", "KID x 1000", 1000.0, 2))  # fmt: skip
"""Number of a report, heading, factor, digits."""
LOST = ("drift", "accuracy_drop", "cdi", "kid")
"""Numbers that are 0 where nothing is forgotten."""


def weightless_jobs(study: Study) -> tuple[Job, ...]:
    """Return every method that the base can be taught by, on every concept with every seed.

    Raises UsageError where none of them leaves the weights alone.
    """
    rows = _rows(study.family)
    return tuple(
        Job(row, seed, (_lesson(study, concept, seed, row),), METRICS)
        for seed in range(study.seeds)
        for concept in study.concepts
        for row in rows
    )


def _rows(family: str) -> tuple[str, ...]:
    pipeline = families.get(family).pipeline
    known = {
        LORA: True,
        INVERSION: learns_words(family),
        REFERENCE: pipeline is not None and pipeline.denoiser == "unet",
    }
    if not known[INVERSION] and not known[REFERENCE]:
        raise UsageError(
            f"Neither method that changes no weights is one for {families.get(family).title}: textual inversion learns "
            "a word of one CLIP, and reference attention lets the self-attentions of a U-Net look at a picture. Name a "
            "base that is a Stable Diffusion.",
            Setting("base"),
        )
    return tuple(row for row, (how, _) in ROWS.items() if known[how])


def _lesson(study: Study, concept: ConceptPictures, seed: int, row: str) -> Lesson:
    how, terms = ROWS[row]
    plan = taught(study, concept, seed, terms)
    if how == INVERSION:
        plan = replace(plan, rate=RATE, weight_decay=0.0)  # an embedding has no reason to be near 0
    return Lesson(concept.name, plan, how=how)


def weightless_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return what each method learns and what is lost while it is on."""
    rows = rows_of(results)
    heads = ["", "learned", *(head for _, head, _, _ in SHOWN)]
    lines = [
        [row, learned_cell(found), *(mean_cell(found, number, factor, digits) for number, _, factor, digits in SHOWN)]
        for row, found in rows.items()
    ]
    series = tuple(Series(row, _point(found)) for row, found in rows.items())
    figure = Figure("What is learned and what moves", "concept fidelity %", "denoiser drift %", series)
    still = [row for row, found in rows.items() if moves_nothing(found)]
    others = [row for row in ROWS if row not in _rows(study.family)]
    title = families.get(study.family).title
    missing = f" Not made: {', '.join(others)}. A word of {title} has no one embedding." if others else ""
    said = (
        f"Moved nothing at all, to the last bit: {', '.join(still)}. What is asked here never names the concept."
        if still
        else "Every method moved something that does not name the concept."
    )
    return Findings((counted_runs(results), "", *table(heads, lines), "", f"{said}{missing}"), figure)


def moves_nothing(results: Sequence[Result]) -> bool:
    """Return whether everything that was measured of what is lost is exactly 0."""
    found = [result.numbers[name].value for result in results for name in LOST if name in result.numbers]
    return bool(found) and not any(found)


def _point(results: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    learned, moved = mean_of(results, "fidelity", SHARE), mean_of(results, "drift", SHARE)
    return () if learned is None or moved is None else ((learned.value, moved.value),)


EXPERIMENT = Experiment(
    name="weightless",
    title="Methods that change no weights",
    question="How much do textual inversion and reference attention make a model forget, under the same questions as a "
    "LoRA of the same concept, and do they learn it as well?",
    jobs=weightless_jobs,
    findings=weightless_findings,
)
