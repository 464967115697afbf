"""How the Diffusion Classifier's authors ask a published set: the settings that the preset `paper` follows. No torch.

Li et al. (ICCV 2023, arXiv 2303.16203), the commands and prompts of their repository; `loss` is the one that a command
names, and the squared error where it names none. The size of the subsets is that of Laria et al. (arXiv 2410.14159):
ceil(500 / classes) of each class, derived from the accuracies in their table.
"""

import dataclasses
from dataclasses import dataclass

from ..families.prompt_form import SENTENCES
from ..plan.audit_plan import AuditPlan, Stage, elimination_rows
from ..plan.presets import PAPER

SUBSET = 500
"""Pictures of a set, about: as many of each class as reach this number together."""


@dataclass(frozen=True)
class Protocol:
    """Prompt, rounds and loss of one set."""

    classes: int
    """Classes of the set: known here so that costs are, before anything is read."""
    prompt: str
    """Prompt of a class; {name} is its name, without an article but those written here."""
    stages: tuple[Stage, ...]
    """Rounds of elimination."""
    loss: str
    """Denoising error."""

    @property
    def per_class(self) -> int:
        """Pictures of each class."""
        return -(-SUBSET // self.classes)

    @property
    def images(self) -> int:
        """Pictures of the whole subset."""
        return self.classes * self.per_class

    @property
    def evaluations(self) -> int:
        """UNet evaluations that classifying the subset once costs, at the timesteps that are really asked."""
        return self.images * elimination_rows(self.classes, self.stages)

    @property
    def nominal(self) -> int:
        """The same if each round's timesteps were among the next one's, as the numbers of samples suggest.

        Evenly spaced timesteps of 20 and of 50 have none in common, so that a class which survives has seen more.
        """
        alive, seen, rows = self.classes, 0, 0
        for stage in self.stages:
            rows += alive * (stage.samples - seen)
            alive, seen = min(alive, stage.keep), stage.samples
        return self.images * rows

    def asked_by(self, plan: AuditPlan) -> AuditPlan:
        """Return a preset's plan with the set's prompt, and with all of these settings where it is the paper's.

        A base that is asked in tags keeps the prompt of its language.
        """
        if plan.prompt_form == SENTENCES:
            plan = dataclasses.replace(plan, class_prompt=self.prompt)
        if plan.preset != PAPER:
            return plan
        return dataclasses.replace(plan, stages=self.stages, loss=self.loss, per_class=self.per_class)


def rounds(samples: tuple[int, ...], keep: tuple[int, ...]) -> tuple[Stage, ...]:
    """Return rounds from the two lists that the authors' command takes."""
    return tuple(Stage(seen, kept) for seen, kept in zip(samples, keep, strict=True))
