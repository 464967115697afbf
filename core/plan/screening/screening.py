"""How a plan asks a vocabulary: which concepts, how many rows each, at which timesteps. No torch."""

import dataclasses
from collections.abc import Sequence

from ...families.prompt_form import PromptForm
from ..audit_plan import AuditPlan
from ..vocabulary import Concept, shipped_vocabulary, vocabulary_digest, words_vocabulary
from .block_design import Cells, block_design
from .contrasts import Contrasts, contrasts

TIMESTEPS = 8
"""Timesteps of the screening: as many as of denoiser_drift in quick audits, and 2, 4 and 8 rows divide them."""

CANDIDATES = 16
"""Evenly spaced timesteps from which these are chosen: those at which the prompt says most to the base. At the others
what it says is drowned by changes that mean nothing."""

PILOTS = 8
"""Concepts that show which these are, one a picture."""

_ROWS = {"quick": 2, "standard": 4, "paper": 8}
"""Preset -> rows of each concept. Two are the least that show how exact they are."""

_FEW = ((8, 32), (128, 8))
"""(Concepts, rows): fewer concepts get as many rows at least. Below 128 not every timestep would meet the others often
enough to be compared; below 8, thousands of rows cost nothing, and one concept alone must show how exact it is."""


def with_vocabulary(plan: AuditPlan, family: str, words: Sequence[str] = ()) -> AuditPlan:
    """Return a plan that asks a user's words, or without any the vocabulary that ships for bases of a family."""
    plan = dataclasses.replace(plan, vocabulary=family, words=tuple(words), concept_rows=1)
    concepts = plan_concepts(plan)
    rows = max(_ROWS[plan.preset], *(rows for most, rows in _FEW if len(concepts) < most), 0)
    plan = dataclasses.replace(plan, concept_rows=rows)
    digest = vocabulary_digest(concepts, plan_contrasts(plan, concepts).prompts)
    return dataclasses.replace(plan, vocabulary_digest=digest)


def plan_concepts(plan: AuditPlan) -> tuple[Concept, ...]:
    """Return the concepts that a plan asks; none where it asks no vocabulary."""
    form = PromptForm(plan.prompt_form, plan.prefix, plan.negative)
    if plan.concept_rows == 0:
        return ()
    return words_vocabulary(plan.words, form) if plan.words else shipped_vocabulary(plan.vocabulary, form)


def plan_cells(plan: AuditPlan, concepts: int, pictures: int) -> Cells:
    """Return at which of TIMESTEPS and of which of the pictures each concept is asked."""
    return block_design(concepts, plan.concept_rows, TIMESTEPS, pictures, plan.seed)


def plan_contrasts(plan: AuditPlan, concepts: Sequence[Concept]) -> Contrasts:
    """Return what is asked instead of each concept at each of its rows."""
    return contrasts(concepts, asked_instead(plan, concepts), plan.concept_rows, plan.seed)


def asked_instead(plan: AuditPlan, concepts: Sequence[Concept]) -> Sequence[Concept]:
    """Return the concepts that others are compared with.

    A user's words may all mean nearly the same, so for these it is the vocabulary that ships.
    """
    form = PromptForm(plan.prompt_form, plan.prefix, plan.negative)
    return shipped_vocabulary(plan.vocabulary, form) if plan.words else concepts


def plan_pilot(plan: AuditPlan, concepts: Sequence[Concept], pictures: int) -> tuple[list[int], Cells, Contrasts]:
    """Return which concepts show where the prompt says most, each at all CANDIDATES, and what is asked instead."""
    import numpy as np

    count = min(PILOTS, len(concepts))
    chosen = [i * len(concepts) // count for i in range(count)]
    timestep = np.tile(np.arange(CANDIDATES), (count, 1))
    picture = np.tile(np.arange(count)[:, None] % pictures, (1, CANDIDATES))
    instead = contrasts([concepts[i] for i in chosen], asked_instead(plan, concepts), CANDIDATES, plan.seed)
    return chosen, Cells(timestep, picture), instead
