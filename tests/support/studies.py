"""A study of two concepts without pictures, and results that were never measured."""

from pathlib import Path

from owf.core.experiments.jobs.job import Result
from owf.core.experiments.jobs.study import Asked, ConceptPictures, Study
from owf.core.metrics.measurement import Estimate
from owf.core.train.plan import TrainPlan

NOWHERE = Path("nowhere")


def study(folder=NOWHERE, words=("dog", "cup"), seeds=2, family="demo", asked=None, **more):
    """Return a study of a plan that is easily told from the defaults."""
    concepts = tuple(ConceptPictures(word, word, NOWHERE / word, None) for word in words)
    plan = TrainPlan(class_word="thing", preserve=(), steps=20, batch=2, rate=1e-3, rank=8)
    return Study(family, concepts, seeds, plan, asked or Asked(), folder, **more)


def result(row, concept="dog", seed=0, at=None, decision="LEARNED", floors=None, **numbers):
    """Return a result with these numbers; `floors` are those of some of them."""
    floors = floors or {}
    estimates = {name: Estimate(v, v - 0.1, v + 0.1, 50, "share", floors.get(name)) for name, v in numbers.items()}
    return Result(row, concept, seed, at or {}, estimates, decision, "reports/none")
