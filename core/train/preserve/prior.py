"""`prior`: the ordinary loss on pictures of the class that the base drew beforehand (DreamBooth, eq. 2)."""

from typing import TYPE_CHECKING

from .term import Examples, Regularizer, Term, TermContext, none_asked

if TYPE_CHECKING:
    import torch

    from ...model.diffusion.schedule import Schedule
    from ..data.rows import Draw, Rows


class PriorPreservation(Regularizer):
    """Pictures of the class under the class's caption; the target is their own noise, not the base."""

    def __init__(self, latents: "torch.Tensor", caption: str, schedule: "Schedule", count: int) -> None:
        self._latents, self._caption, self._schedule, self._count = latents, caption, schedule, count

    def examples(self, concept: "Rows", draw: "Draw") -> tuple[Examples, ...]:
        """Return random class pictures with noise of their own."""
        import torch

        from ..data.rows import Rows

        places = torch.from_numpy(draw.generator("prior").integers(0, len(self._latents), self._count))
        x0 = self._latents[places].to(concept.x0.device)
        eps = draw.noise(self._count, tuple(x0.shape[1:]), "prior").to(x0.device)
        t = draw.timesteps(self._count, self._schedule, "prior").to(x0.device)
        return (Examples(Rows(x0, eps, t, (self._caption,) * self._count), self._schedule.target(x0, eps, t)),)


def make(context: TermContext) -> Regularizer:
    """Return the term with the base's pictures of the class."""
    plan = context.plan
    caption = context.concept.strip("", plan.caption)
    latents = context.drawings.latents("Base: drawing the class", [caption] * plan.prior_images)
    return PriorPreservation(latents, caption, context.denoiser.schedule, plan.term_rows)


TERM = Term(
    name="prior",
    order=1,
    help="the loss on pictures of the class drawn by the base",
    weight=1.0,
    make=make,
    teacher_rows=none_asked,
    drawings=lambda plan, bank: plan.prior_images,
    needs_class=True,
)
