"""Before a training: does the base predict what it is said to? Asked once for each base, whatever the host."""

import hashlib

import numpy as np

from ..disk.store import SampleStore
from ..model.diffusion.denoiser import Denoiser
from ..model.diffusion.reading import (
    FITS,
    MARGIN,
    READING_LEVELS,
    READING_PICTURES,
    READING_ROWS,
    READINGS,
    ToDraw,
    require_right_base,
)
from ..model.diffusion.sample import Sampling, generate_latents
from .data.bank import Bank
from .records import TrainSetting

SAMPLING = Sampling(steps=10, guidance_scale=1.0)
"""How the pictures are drawn: a quarter of what a picture costs otherwise, as nobody looks at them."""


def check_cost(bank: Bank) -> int:
    """Return the UNet rows of the check."""
    return len(_asked(bank)) * (SAMPLING.rows + READING_ROWS)


def check_base(denoiser: Denoiser, bank: Bank, setting: TrainSetting) -> None:
    """Raise InvalidError where the base predicts something else than it is said to, which would cost hours.

    It is asked about pictures of its own, of held-out prompts, as audits do: those to be learned may be unlike all that
    it knows. They are seeded by themselves and not kept, so that no other drawing and no LoRA depends on them; that a
    base passed is kept. A base that fits no reading may be trained.
    """
    prompts = _asked(bank)
    told = (denoiser.digest(), denoiser.dtype, denoiser.latent_shape, denoiser.schedule.prediction_type)
    how = (SAMPLING, READING_LEVELS, READINGS, MARGIN, FITS, prompts)
    item = hashlib.sha256(repr((*told, *how)).encode()).hexdigest()
    with SampleStore(setting.cache / "bases-read-right.sqlite") as store:
        if store.has("reading", item):
            setting.progress.skip(check_cost(bank))
            return
        setting.progress.stage("Base: checking how it is read")
        draws = ToDraw(prompts, range(len(prompts)), SAMPLING)
        latents = generate_latents(denoiser, prompts, draws.seeds, SAMPLING, setting.batch, setting.progress)
        require_right_base(denoiser, draws, latents, setting.batch)
        setting.progress.advance(len(prompts) * READING_ROWS)
        store.put("reading", [(item, {"passed": np.ones(1)})])


def _asked(bank: Bank) -> tuple[str, ...]:
    return bank.watched[:READING_PICTURES]
