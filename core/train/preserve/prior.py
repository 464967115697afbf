"""`prior`: the ordinary loss on pictures of the class that the base drew beforehand (DreamBooth, eq. 2)."""

import torch

from ...model.schedule import Schedule
from ...plan.train_plan import term_rows
from ..data.rows import Draw, Rows
from .term import Question, Situation, Term


class PriorTerm(Term):
    """Pictures of the class under the class's caption; the target is their own noise, not the base."""

    def __init__(self, latents: torch.Tensor, caption: str, schedule: Schedule, count: int) -> None:
        self._latents, self._caption, self._schedule, self._count = latents, caption, schedule, count

    def questions(self, concept: Rows, draw: Draw) -> tuple[Question, ...]:
        """Return random class pictures with noise of their own."""
        places = torch.from_numpy(draw.generator("prior").integers(0, len(self._latents), self._count))
        x0 = self._latents[places].to(concept.x0.device)
        eps = draw.noise(self._count, tuple(x0.shape[1:]), "prior").to(x0.device)
        t = draw.timesteps(self._count, self._schedule.steps, "prior").to(x0.device)
        return (Question(Rows(x0, eps, t, (self._caption,) * self._count), self._schedule.target(x0, eps, t)),)


def make(situation: Situation) -> Term:
    """Return the term; the base draws its pictures now, unless it did so before."""
    plan = situation.plan
    caption = situation.concept.strip("", plan.caption)
    latents = situation.drawings.latents("Base: drawing the class", [caption] * plan.prior_images)
    return PriorTerm(latents, caption, situation.denoiser.schedule, term_rows(plan))
