"""The rows of the paper's tables, as far as they are known: which method and which terms each one is. No torch.

Known are the names: DreamBooth (DB) and Custom Diffusion (CD), DC for drift correction, \\pr for "without prior
regularisation" as it is naturally read. That DB and CD alone have their own prior preservation follows from that
reading; weights, steps and rates are not known and are those of the study.
"""

from dataclasses import replace

from ... import families
from ...train.plan import TrainPlan
from .job import Job, Lesson
from .study import ConceptPictures, Study

METHODS = {
    "DB": ("dreambooth_lora", ("prior",)),
    "DB-DC": ("dreambooth_lora", ("dc", "prior")),
    "DB-DC\\pr": ("dreambooth_lora", ("dc",)),
    "CD": ("custom_diffusion", ("prior",)),
    "CD-DC": ("custom_diffusion", ("dc", "prior")),
    "CD-DC\\pr": ("custom_diffusion", ("dc",)),
}
"""Row -> method and preservation terms."""
CUSTOM_RATE = 0.5
"""Share of the study's rate at which Custom Diffusion trains: whole projections move farther than factors do."""


def learns_words(family: str) -> bool:
    """Return whether a word of a family's prompts can be learned, as Custom Diffusion and textual inversion do."""
    pipeline = families.get(family).pipeline
    return pipeline is not None and pipeline.learns_words


def methods_of(family: str) -> tuple[str, ...]:
    """Return the rows of the tables that bases of a family are taught by."""
    return tuple(row for row, (method, _) in METHODS.items() if method != "custom_diffusion" or learns_words(family))


def not_taught(family: str) -> str:
    """Return in a sentence which rows a family's tables lack, and why; "" for none."""
    missing = [row for row in METHODS if row not in methods_of(family)]
    if not missing:
        return ""
    return (
        f"Not made: {', '.join(missing)}. Custom Diffusion learns the trigger as a word of one text encoder, and "
        f"{families.get(family).title} has no such word."
    )


def by_custom_diffusion(plan: TrainPlan) -> TrainPlan:
    """Return the training of a plan by Custom Diffusion."""
    return replace(plan, method="custom_diffusion", rate=CUSTOM_RATE * plan.rate)


def taught(study: Study, concept: ConceptPictures, seed: int, preserve: tuple[str, ...]) -> TrainPlan:
    """Return the study's training of a concept with preservation terms."""
    # Drift is watched where the weight of drift correction goes by it; elsewhere that would be rows that nobody reads.
    watched = study.plan.drift_every if "dc" in preserve else 0
    return replace(study.plan, class_word=concept.word, seed=seed, preserve=preserve, drift_every=watched)


def method_plan(study: Study, concept: ConceptPictures, seed: int, row: str) -> TrainPlan:
    """Return the training of a row of the tables."""
    method, preserve = METHODS[row]
    plan = taught(study, concept, seed, preserve)
    return by_custom_diffusion(plan) if method == "custom_diffusion" else replace(plan, method=method)


def method_jobs(study: Study, metrics: tuple[str, ...], seeds: int) -> tuple[Job, ...]:
    """Return every row on every concept with so many seeds, one seed after the other."""
    return tuple(
        Job(row, seed, (Lesson(concept.name, method_plan(study, concept, seed, row)),), metrics)
        for seed in range(seeds)
        for concept in study.concepts
        for row in methods_of(study.family)
    )
