"""A base of vectors for predictions, and a model of it in which concepts became others, or everything moved."""

from collections.abc import Callable
from functools import cache

import numpy as np
from owf.core.metrics.evidence import Screened
from owf.core.plan.audit_plan import AuditPlan
from owf.core.plan.screening.contrasts import Texts
from owf.core.plan.screening.screening import asked_instead, plan_cells, plan_concepts, plan_contrasts
from owf.core.plan.vocabulary import Concept

WIDTH = 256
"""Of a prediction: directions that chance draws are then nearly at right angles."""

Levels = dict[str, str]


def texts_of(plan: AuditPlan) -> dict[str, np.ndarray]:
    """Return how a base reads each prompt that a plan may ask: a sum over what its concept has."""
    return {concept.prompt: vector_of(concept) for concept in (*plan_concepts(plan), *asked_instead(plan))}


@cache
def vector_of(concept: Concept) -> np.ndarray:
    """Return the vector of a concept: unit vectors of its levels, and one of its own, which is little beside others."""
    alone = len(concept.attributes) == 1  # a line of a list
    parts = [(f"{name}={level}", 1.0) for name, level in concept.attributes] + [(concept.prompt, 1.0 if alone else 0.3)]
    return np.sum([size * _unit(key) for key, size in parts], axis=0)


@cache
def _unit(key: str) -> np.ndarray:
    drawn = np.random.default_rng(list(key.encode())).normal(size=WIDTH)
    return drawn / np.linalg.norm(drawn)


def screened(
    plan: AuditPlan, becomes: Callable[[Levels], Levels | None], moved: float = 0.0, noise: float = 0.1, seed: int = 0
) -> Screened:
    """Return what a screening sees of a model in which concepts became what has other levels (None: nothing).

    Everything else moves by `moved`, in directions of its own, in units of the size of what an attribute says, and
    more or less by `noise`. Timesteps see prompts differently well.
    """
    rng, concepts, read = np.random.default_rng(seed), plan_concepts(plan), texts_of(plan)
    known = {concept.attributes: concept for concept in (*concepts, *asked_instead(plan))}
    cells, instead = plan_cells(plan, len(concepts), 8), plan_contrasts(plan, concepts, Texts(read))
    own = np.stack([vector_of(concept) for concept in concepts])
    after = own.copy()
    for place, concept in enumerate(concepts):
        if (levels := becomes(dict(concept.attributes))) is not None:
            other = tuple((name, levels.get(name, level)) for name, level in concept.attributes)
            after[place] = vector_of(known[other])
    heard = np.exp(np.linspace(-0.5, 0.5, 8)[cells.timestep] + rng.normal(0, 0.3, cells.timestep.shape))[..., None]
    others = np.stack([np.stack([read[prompt] for prompt in prompts]) for prompts in instead.prompts])
    shift = rng.normal(size=(*heard.shape[:2], WIDTH)) / np.sqrt(WIDTH)
    size = moved + noise * np.exp(rng.normal(0, 0.5, heard.shape))
    change = heard * ((after - own)[:, None] + size * shift)
    apart = heard * (others - own[:, None])
    norm = np.full(heard.shape[:2], 10.0)
    return Screened(
        concepts,
        cells,
        np.square(change).sum(axis=2),
        norm,
        (change * apart).sum(axis=2),
        np.square(apart).sum(axis=2),
        np.array(instead.exchanged),
        np.array(instead.near),
        tuple(range(8)),
        np.stack([read[concept.prompt] for concept in concepts]),
    )
