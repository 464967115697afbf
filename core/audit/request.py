"""What is asked of an audit, and the plan that a base gets of it."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import families
from ..datasets.dataset import GENERAL, find_dataset
from ..datasets.images.labelled import LabelledImages
from ..datasets.images.shipped import read_shipped
from ..errors import Setting, UsageError
from ..families.prompt_form import AUTO
from ..metrics.evidence import Confirmed, Screened
from ..metrics.metric import Metric, all_metrics, chosen, needed
from ..plan.audit_plan import AuditPlan, Stage
from ..plan.presets import ASKED_SMALL, OF_FAMILIES, in_form, in_order, preset_metrics, preset_plan
from ..plan.screening.screening import with_vocabulary
from ..plan.solvers import DDIM
from ..verdict.rejudge import NO_FEW_STEPS


@dataclass(frozen=True)
class AuditRequest:
    """What is asked of an audit; where a field is empty or 0, the preset decides."""

    preset: str = "quick"
    """Name of the preset."""
    seed: int = 0
    """Seed of all noise."""
    metrics: tuple[str, ...] = ()
    """Metrics to run; see `measured`."""
    per_class: int = 0
    """Labelled images of each class."""
    class_prompt: str = ""
    """Prompt of a class, {} its name."""
    stages: tuple[Stage, ...] = ()
    """Rounds of the classifier."""
    loss: str = ""
    """Denoising error of the classifier."""
    guidance_scale: float = 0.0
    """Classifier-free guidance of the drawings."""
    resolution: int = 0
    """Side of the pictures in pixels; see `side_for`."""
    features: str = ""
    """Feature network of KID."""
    open_clip: str = ""
    """Network of open_clip that stands for CLIP, "MODEL/TAG"; empty for CLIP ViT-B/32."""
    images: Path | None = None
    """Folder of labelled images; None where the data set of the base is to be used."""
    dataset: str = ""
    """Layout of that folder; empty for the one that it has."""
    prompt_form: str = AUTO
    """Language of the prompts: "sentences", "tags", or "auto" for that of the base."""
    words: tuple[str, ...] = ()
    """What the damage map asks instead of its vocabulary."""
    concept: tuple[str, ...] = ()
    """Words for what LoRAs were trained to change: the damage map shows it apart, and references are pictures of it."""
    references: Path | None = None
    """Folder of pictures of it that what LoRAs draw is compared with; None where that is not asked."""
    decide_early: bool = False
    """Whether what is left is not measured once the verdict is DRIFT."""

    def __post_init__(self) -> None:
        if self.dataset and self.images is None:
            raise UsageError(f"{self.dataset} is the layout of a folder, and none is named.", Setting("images"))
        named = {"words": self.words, "concept": self.concept if self.references is None else ()}
        if any(named.values()) and Screened not in needed(self.measured):
            given = [Setting(name) for name, words in named.items() if words]
            raise UsageError("Only the damage map asks words; it is the metric map.", Setting("metrics", "map"), *given)
        if self.open_clip and not any(metric.takes_open_clip for metric in chosen(self.measured)):
            names = ", ".join(metric.name for metric in all_metrics() if metric.takes_open_clip)
            raise UsageError(f"Only {names} compare by CLIP.", Setting("metrics"), Setting("open_clip"))

    @property
    def measured(self) -> tuple[str, ...]:
        """Metrics that are run: those of the request, else the preset's."""
        return self.metrics or preset_metrics(self.preset)


_LEAST_SHARE = 0.5
"""Share of the side of a base's own pictures below which nothing is audited: what it never learned hides drift."""
_MOST_TIMES = 2
"""How many times that side is asked at most: beyond, bases draw things twice."""


def side_for(request: AuditRequest, family: str, own: int) -> int:
    """Return the side in pixels at which a base of a family is asked; `own` is that of the pictures it was made for.

    That is the request's, else a smaller one for presets that are to be fast, where the family learned one, else its
    own. Raises UsageError for a side that its pictures cannot have, or that is far from all that it learned.
    """
    known = families.get(family)
    side = request.resolution
    if not side:
        return known.smaller if request.preset in ASKED_SMALL and 0 < known.smaller < own else own
    least, most = math.ceil(_LEAST_SHARE * own), _MOST_TIMES * own
    multiple = 1 if known.pipeline is None else known.pipeline.multiple
    if side != own and (side % multiple or not least <= side <= most):
        raise UsageError(
            f"Pictures of {side} pixels are not what the base can be asked about: it was made for {own}, so that "
            f"multiples of {multiple} from {least} to {most} are possible. 0 leaves it to the preset.",
            Setting("resolution"),
        )
    return side


def plan_for(
    request: AuditRequest, family: str, own: int, given: LabelledImages | None = None, names: Sequence[str] = ()
) -> tuple[AuditPlan, LabelledImages | None]:
    """Return the plan for a base of a family that was made for pictures of `own` pixels, and the labelled images.

    `names` are those of the base, by which the language of its prompts is told. The images are those `given`, those of
    the folder asked for, or those that ship for the base; None where it makes them. Raises UsageError for what cannot
    be read or run.
    """
    known, side = families.get(family), side_for(request, family, own)
    plan = in_form(preset_plan(request.preset, family), known.prompt_form(request.prompt_form, names))
    usual = known.drawing(names)
    metrics = in_order(_asked(request, usual))
    dataset = None
    if given is None and request.images is not None:
        dataset = find_dataset(request.images, request.dataset)
        plan = plan if dataset.published is None else dataset.published.protocol.asked_by(plan)
    plan = dataclasses.replace(
        plan,
        seed=request.seed,
        metrics=metrics,
        per_class=request.per_class or plan.per_class,
        class_prompt=request.class_prompt or plan.class_prompt,
        stages=request.stages or plan.stages,
        loss=request.loss or plan.loss,
        guidance_scale=request.guidance_scale or usual.guidance_scale or plan.guidance_scale,
        sampling_steps=usual.steps or plan.sampling_steps,
        solver=DDIM if usual.steps else plan.solver,  # as the base's makers count its steps
        features=request.features or plan.features,
        open_clip=request.open_clip,
        resolution=0 if side == own else side,
        own_times=usual.is_distilled,
    )
    if Screened in (kinds := needed(plan.metrics)):
        # A confirmation compares what it draws with all that is near it, a map alone is what was asked for, and a
        # family with plans of its own is too small to save rows.
        whole = Confirmed in kinds or kinds == {Screened} or family in OF_FAMILIES
        plan = with_vocabulary(plan, family, request.words, whole)
    name = GENERAL
    if dataset is not None and request.images is not None:
        name, given = dataset.name, dataset.images(request.images, side, plan.per_class, plan.seed)
    if given is not None:
        return dataclasses.replace(plan, dataset=name, dataset_digest=given.digest(), classes=given.classes), given
    return plan, read_shipped(plan.dataset, side, plan.per_class)


def _asked(request: AuditRequest, usual: families.Drawing) -> list[str]:
    """Return the metrics that are asked of a base that people draw with so; raise UsageError where none is left."""
    asked = [metric.name for metric in chosen(request.measured) if not metric.of_few_steps or usual.is_distilled]
    if not asked:
        raise UsageError(f"{_not_asked(chosen(request.measured))} Ask others too.", Setting("metrics"))
    return asked


def not_asked(request: AuditRequest, plan: AuditPlan) -> str:
    """Return in a sentence which metrics of a request its plan for a base leaves out, and why; "" for none."""
    left_out = [metric for metric in chosen(request.measured) if metric.name not in plan.metrics]
    return _not_asked(left_out) if left_out else ""


def _not_asked(metrics: Sequence[Metric]) -> str:
    names = " and ".join(metric.name for metric in metrics)
    return f"Not asked: {names}{NO_FEW_STEPS}"
