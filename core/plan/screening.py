"""How a plan asks a vocabulary: which concepts, how many rows each, at which timesteps. No torch."""

import dataclasses
from collections.abc import Sequence

from ..families.prompt_form import PromptForm
from .audit_plan import AuditPlan
from .block_design import Cells, block_design
from .vocabulary import Concept, shipped_vocabulary, vocabulary_digest, words_vocabulary

TIMESTEPS = 8
"""Timesteps of the screening: as many as of denoiser_drift in quick audits, and 2, 4 and 8 rows divide them."""

_ROWS = {"quick": 2, "standard": 4, "paper": 8}
"""Preset -> rows of each concept. Two are the least that show how exact they are."""

_FEW = ((8, 32), (128, 8))
"""(Concepts, rows): fewer concepts get as many rows at least. Below 128 not every timestep would meet the others often
enough to be compared; below 8, thousands of rows cost nothing, and one concept alone must show how exact it is."""


def with_vocabulary(plan: AuditPlan, family: str, words: Sequence[str] = ()) -> AuditPlan:
    """Return a plan that asks a user's words, or without any the vocabulary that ships for bases of a family."""
    plan = dataclasses.replace(plan, vocabulary="" if words else family, words=tuple(words), concept_rows=1)
    concepts = plan_concepts(plan)
    rows = max(_ROWS[plan.preset], *(rows for most, rows in _FEW if len(concepts) < most), 0)
    return dataclasses.replace(plan, vocabulary_digest=vocabulary_digest(concepts), concept_rows=rows)


def plan_concepts(plan: AuditPlan) -> tuple[Concept, ...]:
    """Return the concepts that a plan asks; none where it asks no vocabulary."""
    form = PromptForm(plan.prompt_form, plan.prefix, plan.negative)
    if plan.concept_rows == 0:
        return ()
    return words_vocabulary(plan.words, form) if plan.words else shipped_vocabulary(plan.vocabulary, form)


def plan_cells(plan: AuditPlan, concepts: int, pictures: int) -> Cells:
    """Return at which of TIMESTEPS and of which of the pictures each concept is asked."""
    return block_design(concepts, plan.concept_rows, TIMESTEPS, pictures, plan.seed)
