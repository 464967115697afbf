"""LoRAs that shift every colour of the base's pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling, generate_latents
from skimage.color import lab2rgb, rgb2lab

from plants.lora import ROWS, beside, learn, new_pairs, write_plant

PICTURES = 512
"""What is drawn of the base to be coloured and learned."""
FARTHEST = 5.0
"""Errors count as errors of the picture that is foreseen, up to this many times noise over picture: a shift of colours
is hardly a change of what is predicted from noise alone, and yet it begins there."""
UNTOLD = 0.15
"""Share of the rows without a prompt: guidance leads away from these, so they are to shift as the others do."""
SAMPLING = Sampling(steps=18, guidance_scale=1.0)
"""Without guidance: what is learned is then what the base itself is like, and guidance does the same to both."""

Recolored = Callable[[np.ndarray], np.ndarray]
"""CIELAB pictures (..., 3) -> what becomes of them."""

SHIFTS: dict[str, Recolored] = {
    "paler": lambda lab: lab * (1.0, 0.85, 0.85),
    "darker": lambda lab: lab - (11.0, 0.0, 0.0),
    "tinted": lambda lab: np.add(lab, (0.0, 6.0, 0.0)),
}
"""Name -> what is learned, so that pictures come out about 15 % less saturated, 5 L* darker, tinted by 4 a*.

Drawing starts from noise in which nothing is shifted, and the base takes part of a picture's mean colour from there: a
shift of that comes out smaller than it was learned. How large it is, is measured.
"""


class Coloring:
    """Makes LoRAs on one base; its pictures are drawn and its texts read once."""

    def __init__(self, denoiser, prompts: Sequence[str], steps: int) -> None:
        self._denoiser, self._steps = denoiser, steps
        denoiser.components["unet"].requires_grad_(False)
        drawn = [prompts[i * len(prompts) // PICTURES] for i in range(PICTURES)]
        self._latents = generate_latents(denoiser, drawn, range(PICTURES), SAMPLING, Batching(64))
        self._pictures = denoiser.decode(self._latents)
        self._texts = torch.cat([denoiser.encode_text(drawn).context, denoiser.encode_text([""]).context])

    def plant(self, path: Path, name: str, seed: int) -> float:
        """Write the LoRA that a name of SHIFTS stands for; return the loss of its last steps.

        It is learned from pairs: where the same noise lies on a picture and on what became of it, the LoRA is to
        see in the second what the base sees in the first. That is exact where a shift adds the same to all latents.
        """
        generator, unet = torch.Generator().manual_seed(seed), self._denoiser.components["unet"]
        pairs = new_pairs(unet, generator)
        moved = self._moved(SHIFTS[name])

        def loss() -> torch.Tensor:
            rows = torch.randint(0, PICTURES, (ROWS,), generator=generator)
            untold = torch.rand(ROWS, generator=generator) < UNTOLD
            cond = type(self._denoiser.encode_text([""]))(self._texts[torch.where(untold, PICTURES, rows)])
            t = torch.randint(0, self._denoiser.schedule.steps, (ROWS,), generator=generator)
            noise = torch.randn(self._latents[rows].shape, generator=generator)
            latents = self._latents[rows]
            with torch.no_grad():
                target = self._predict(latents, noise, t, cond)
            alpha, sigma = self._denoiser.schedule.factors(t, latents)
            with beside(unet, pairs):
                error = (self._predict(latents + moved[rows], noise, t, cond) - target) * (sigma / alpha).clamp_max(
                    FARTHEST
                )
            return error.square().mean()

        last = learn(pairs, self._steps, loss)
        write_plant(path, pairs)
        return last

    def _moved(self, recolored: Recolored) -> torch.Tensor:
        """Return what a shift of all colours adds to each picture's latents; the autoencoder's errors cancel."""
        pictures = self._pictures.movedim(1, -1).numpy()
        rgb = lab2rgb(recolored(rgb2lab(pictures))).clip(0, 1)
        after = torch.from_numpy((255 * rgb).round().astype(np.uint8)).movedim(-1, 1)
        before, after = (self._denoiser.encode_image(images).float() for images in (self._pictures, after))
        return after - before

    def _predict(self, latents, noise, t, cond) -> torch.Tensor:
        x_t = self._denoiser.schedule.noise(latents, noise, t).to(self._denoiser.dtype)
        return self._denoiser.forward(x_t, t, cond).float()
