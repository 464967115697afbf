"""What a training taught: its pictures, or those held out of them, against what base and tuned model draw."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from ..audit.learned.evidence import HELD_OUT, TRAINED_ON, ConceptAsked, Drawing, distinct
from ..audit.learned.measure import measure_learning
from ..families.prompt_form import PromptForm
from ..model.diffusion.denoiser import TrainableDenoiser
from ..plan.concept import Concept
from ..verdict.learning import Learning
from .plan import TrainPlan
from .records import Picture, TrainSetting


def learned(
    denoiser: TrainableDenoiser,
    off: Callable[[], AbstractContextManager[None]],
    pictures: Sequence[Picture],
    held_out: Sequence[Picture],
    form: PromptForm,
    plan: TrainPlan,
    setting: TrainSetting,
) -> Learning:
    """Return what the model in place has learned, asked in a form; within `off()` it is the base.

    Views of the concept are the held-out pictures, if there are any that were not learned from all the same.
    """
    assert setting.networks is not None
    training, views = (tuple(picture.pixels for picture in some) for some in (pictures, held_out))
    views = distinct(views, but=training)
    concept, source = Concept(plan.trigger, plan.class_word), HELD_OUT if views else TRAINED_ON
    asked = ConceptAsked(concept, plan.caption, views or training, training, source, form)
    return measure_learning(
        asked,
        Drawing(denoiser, off, setting.cache, setting.batch, setting.progress, setting.usual),
        setting.networks,
    )
