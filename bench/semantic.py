"""Cost of the semantic metric: ours against the plain published loop, and time spent outside the UNet.

    python bench/semantic.py [--images 200] [--large]

Part 1, on the demo base and LoRA: UNet evaluations (and seconds) to reach the same half-width of the 95 % interval of
the accuracy drop and of the margin shift. "Plain" is the Diffusion Classifier's loop without elimination, run once for
the base and once for the tuned model with independent noise, as a user without this project would; its drop is the
difference of two independent accuracies. Half-widths shrink with the square root of the images, so evaluations to a
common half-width are rows * (half-width / target)^2. Part 2 (--large): share of wall time outside the UNet for a UNet
of Stable Diffusion 1.5's size with random weights on 16x16 latents. Ratios come from one run.
"""

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from owf.core.adapter import Switch, read_adapter
from owf.core.datasets.images.shipped import read_shipped
from owf.core.demo import DEMO_LORAS
from owf.core.metrics.semantic import (
    SemanticRows,
    fit_temperature,
    mean_errors,
    predicted_class,
    summarise_semantic,
    true_log_posterior,
)
from owf.core.metrics.statistics import normal_quantile
from owf.core.model.base import CONFIGS, choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.classifier import image_errors
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.diffusion.schedule import spaced_timesteps
from owf.core.plan.audit_plan import Stage
from owf.core.plan.presets import preset_plan
from owf.core.progress import Progress


@dataclass
class Run:
    """One way of measuring, on both models."""

    rows: int
    seconds: float
    drop_half: float
    margin_half: float


class Counter(Progress):
    """Counts UNet rows."""

    rows = 0

    def advance(self, rows: int) -> None:
        """Add them."""
        self.rows += rows


def measure(denoiser, labelled, switch, stages, seeds) -> tuple[list[np.ndarray], int, float]:
    """Return the errors of base and tuned with the given noise seeds, UNet rows and seconds."""
    counter, start, sides = Counter(), time.perf_counter(), []
    plan = preset_plan("quick", "demo")
    for on, seed in zip((False, True), seeds, strict=True):
        switch.on(1.0) if on else switch.off()
        classes = denoiser.encode_text(plan.class_prompts)
        latents = denoiser.encode_image(torch.from_numpy(labelled.images))
        errors = image_errors(
            denoiser, latents, labelled.items, classes, stages, plan.loss, seed, Batching(64), counter
        )
        sides.append(errors)
    switch.off()
    return sides, counter.rows, time.perf_counter() - start


def ours(denoiser, labelled, switch, stages) -> Run:
    (base, tuned), rows, seconds = measure(denoiser, labelled, switch, stages, (0, 0))
    seen = summarise_semantic(SemanticRows(labelled.classes, labelled.labels, base, tuned, None)).estimates
    half = {name: (seen[name].high - seen[name].low) / 2 for name in ("accuracy_drop", "margin_shift")}
    return Run(rows, seconds, half["accuracy_drop"], half["margin_shift"])


def plain(denoiser, labelled, switch, stages) -> Run:
    single = (Stage(stages[-1].samples, 1),)
    sides, rows, seconds = measure(denoiser, labelled, switch, single, (1, 2))
    n, z = len(labelled.labels), normal_quantile(0.95)
    right = [np.mean([predicted_class(e) == k for e, k in zip(s, labelled.labels, strict=True)]) for s in sides]
    drop_half = z * math.sqrt(sum(p * (1 - p) / n for p in right))
    temperature = fit_temperature(mean_errors(sides[0]), labelled.labels)
    margins = [true_log_posterior(s, labelled.labels, temperature) for s in sides]
    margin_half = z * math.sqrt(sum(m.var(ddof=1) / n for m in margins))
    return Run(rows, seconds, drop_half, margin_half)


def compare(images: int) -> None:
    denoiser = load_base(choose_base(None, "demo"), torch.device("cpu"), torch.float32, offline=True)
    labelled = read_shipped("demo", denoiser.resolution, images // 10)
    switch = Switch(denoiser.components, (read_adapter(DEMO_LORAS[0]),))
    stages = preset_plan("quick", "demo").stages
    a, b = ours(denoiser, labelled, switch, stages), plain(denoiser, labelled, switch, stages)
    print(
        f"{len(labelled.labels)} images, {len(labelled.classes)} classes, {stages[-1].samples} timesteps, both models"
    )
    print(f"{'':8}{'UNet rows':>12}{'seconds':>10}{'drop +-':>12}{'margin +-':>12}")
    for name, run in (("ours", a), ("plain", b)):
        print(f"{name:8}{run.rows:12,}{run.seconds:10.1f}{run.drop_half:12.4f}{run.margin_half:12.4f}")
    for name, ratio in (("accuracy drop", b.drop_half / a.drop_half), ("margin shift", b.margin_half / a.margin_half)):
        rows, seconds = ratio**2 * b.rows / a.rows, ratio**2 * b.seconds / a.seconds
        print(f"to the same half-width of the {name}: {rows:.1f}x fewer UNet evaluations, {seconds:.1f}x less time")
        print(f"  with the base already cached (every further LoRA): {2 * rows:.1f}x fewer")


class Timed:
    """A denoiser of Stable Diffusion 1.5's size with random weights that counts the seconds in its UNet."""

    def __init__(self):
        from diffusers import UNet2DConditionModel
        from owf.core.model.diffusion.schedule import variance_preserving

        config = UNet2DConditionModel.load_config(CONFIGS / "sd15" / "unet")
        torch.manual_seed(0)
        unet = UNet2DConditionModel.from_config(config)
        assert isinstance(unet, UNet2DConditionModel)
        self.unet = unet.eval()
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.schedule = variance_preserving(torch.cumprod(1 - betas, 0), "epsilon")
        self.seconds, self.dtype = 0.0, torch.float32

    def predict(self, x_t, t, cond):
        start = time.perf_counter()
        result = self.unet(x_t, t, encoder_hidden_states=cond.context).sample
        self.seconds += time.perf_counter() - start
        return result


def outside_unet(classes: int = 4, timesteps: int = 4) -> None:
    denoiser = Timed()
    cond = Conditioning(torch.randn(classes, 77, 768, generator=torch.Generator().manual_seed(0)))
    x0 = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(1))
    stages = (Stage(timesteps, 1),)
    image_errors(denoiser, x0[None], ["warm-up"], cond, (Stage(1, 1),), "l2", 0, Batching(4))
    denoiser.seconds, start = 0.0, time.perf_counter()
    image_errors(denoiser, x0[None], ["timed"], cond, stages, "l2", 0, Batching(4))
    total = time.perf_counter() - start
    print(f"SD1.5-sized UNet, 16x16 latents, {classes * len(spaced_timesteps(timesteps, 1000))} rows: {total:.1f} s,")
    print(f"outside the UNet {100 * (1 - denoiser.seconds / total):.2f} % of the wall time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--large", action="store_true", help="also time an SD1.5-sized UNet (4 GB of memory)")
    options = parser.parse_args()
    compare(options.images)
    if options.large:
        outside_unet()


if __name__ == "__main__":
    main()
