"""How a plan asks a vocabulary: which concepts, how many rows each, at which timesteps. No torch."""

import dataclasses
from collections.abc import Sequence

from ..audit_plan import AuditPlan
from ..vocabulary import Concept, shipped_vocabulary, vocabulary_digest, words_vocabulary
from .block_design import Cells, block_design
from .contrasts import Contrasts, Texts, contrasts

TIMESTEPS = 8
"""Timesteps of the screening: as many as of denoiser_drift in quick audits, and 2, 4 and 8 rows divide them."""

CANDIDATES = 16
"""Evenly spaced timesteps from which these are chosen: those at which the prompt says most to the base. At the others
what it says is drowned by changes that mean nothing."""

PILOTS = 8
"""Concepts that show which these are, one a picture."""

_ROWS = {"glance": 2, "quick": 2, "standard": 4, "paper": 8}
"""Preset -> rows of each concept. Two are the least that show how exact they are."""

_RUNS = {"glance": 4, "quick": 4, "standard": 1, "paper": 1}
"""Preset -> concepts of the vocabulary in a row of which one is asked, unless it is to be whole. A quarter still has
every kind and every level of an attribute dozens of times; what is lost in a pair of levels only may be missed."""

_FEW = ((8, 32), (128, 8))
"""(Concepts, rows): fewer concepts get as many rows at least. Below 128 not every timestep would meet the others often
enough to be compared; below 8, thousands of rows cost nothing, and one concept alone must show how exact it is."""


def with_vocabulary(plan: AuditPlan, family: str, words: Sequence[str] = (), whole: bool = True) -> AuditPlan:
    """Return a plan that asks a user's words, or without any the vocabulary that ships for bases of a family.

    Unless it is to be asked `whole`, the preset says how much of it is.
    """
    run = 1 if whole or words else _RUNS[plan.preset]
    plan = dataclasses.replace(plan, vocabulary=family, words=tuple(words), concept_rows=1, concept_run=run)
    concepts = plan_concepts(plan)
    rows = max(_ROWS[plan.preset], *(rows for most, rows in _FEW if len(concepts) < most), 0)
    plan = dataclasses.replace(plan, concept_rows=rows)
    digest = vocabulary_digest(concepts, asked_instead(plan))
    return dataclasses.replace(plan, vocabulary_digest=digest)


def plan_concepts(plan: AuditPlan) -> tuple[Concept, ...]:
    """Return the concepts that a plan asks; none where it asks no vocabulary."""
    if plan.concept_rows == 0:
        return ()
    if plan.words:
        return words_vocabulary(plan.words, plan.form)
    return _one_of_each_run(shipped_vocabulary(plan.vocabulary, plan.form), plan.concept_run, plan.seed)


def _one_of_each_run(concepts: Sequence[Concept], run: int, seed: int) -> tuple[Concept, ...]:
    """Return one of every `run` concepts in a row, by chance: what is listed together is asked as evenly as can be."""
    import numpy as np

    draw = np.random.default_rng([seed, run])
    runs = [concepts[start : start + run] for start in range(0, len(concepts), run)]
    return tuple(each[int(draw.integers(len(each)))] for each in runs)


def plan_cells(plan: AuditPlan, concepts: int, pictures: int) -> Cells:
    """Return at which of TIMESTEPS and of which of the pictures each concept is asked."""
    return block_design(concepts, plan.concept_rows, TIMESTEPS, pictures, plan.seed)


def plan_contrasts(plan: AuditPlan, concepts: Sequence[Concept], texts: Texts) -> Contrasts:
    """Return what is asked instead of each concept at each of its rows, of a base that reads prompts as `texts`."""
    return contrasts(concepts, asked_instead(plan), plan.concept_rows, plan.seed, texts)


def asked_instead(plan: AuditPlan) -> Sequence[Concept]:
    """Return the concepts that those of a plan are compared with: all that ship.

    A user's words may all mean nearly the same, and of a part of what ships hardly two differ in one attribute alone.
    """
    return shipped_vocabulary(plan.vocabulary, plan.form)


def plan_pilot(plan: AuditPlan, concepts: Sequence[Concept], pictures: int) -> tuple[list[int], Cells, Contrasts]:
    """Return which concepts show where the prompt says most, each at all CANDIDATES, and what is asked instead."""
    import numpy as np

    count = min(PILOTS, len(concepts))
    chosen = [i * len(concepts) // count for i in range(count)]
    timestep = np.tile(np.arange(CANDIDATES), (count, 1))
    picture = np.tile(np.arange(count)[:, None] % pictures, (1, CANDIDATES))
    instead = contrasts([concepts[i] for i in chosen], asked_instead(plan), CANDIDATES, plan.seed)
    return chosen, Cells(timestep, picture), instead
