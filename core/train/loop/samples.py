"""Sample pictures drawn while a training runs."""

from ...model.diffusion.denoiser import TrainableDenoiser
from ...model.diffusion.drawings import sampling_of
from ...model.diffusion.sample import generate
from ...plan.concept import Concept
from ..plan import TrainPlan
from ..records import TrainSetting

COUNT = 4
"""A row of pictures: enough to see how far the training is."""


def write_samples(denoiser: TrainableDenoiser, plan: TrainPlan, setting: TrainSetting, step: int) -> None:
    """Draw four pictures with the same seeds each time into `<folder>/samples/<name>-<step>.png`."""
    from PIL import Image

    prompt = plan.sample_prompt or Concept(plan.trigger, plan.class_word).caption(plan.caption)
    images, _ = generate(denoiser, [prompt] * COUNT, range(COUNT), sampling_of(setting.usual), setting.batch)
    folder = setting.folder / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    sheet = images.permute(2, 0, 3, 1).flatten(1, 2)
    Image.fromarray(sheet.numpy()).save(folder / f"{setting.name}-{step:06d}.png")
