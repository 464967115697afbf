"""The loss of one UNet batch: the concept's rows, every preservation term's, and the weights between them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ...model.diffusion.denoiser import Conditioning, TrainableDenoiser
from ...model.diffusion.schedule import Schedule
from ..data.rows import Draw, Rows, by_shape
from ..data.text_cache import TextCache
from ..methods.method import Method
from ..preserve.term import Examples, Regularizer


@dataclass(frozen=True)
class Losses:
    """Losses of one UNet batch, with gradients."""

    concept: torch.Tensor
    """Mean denoising error of the concept's rows."""
    terms: dict[str, torch.Tensor]
    """Unweighted loss of each term."""


class LossMaker:
    """Asks student and teacher: all rows of one latent shape in one UNet batch each."""

    def __init__(
        self, denoiser: TrainableDenoiser, method: Method, texts: TextCache, min_snr: float, precision: torch.dtype
    ) -> None:
        self._denoiser, self._method, self._texts = denoiser, method, texts
        self._min_snr, self._precision = min_snr, precision

    def losses(self, concept: Rows, draw: Draw, terms: Mapping[str, Regularizer]) -> Losses:
        """Return the losses of the concept's rows and of what the terms ask along with them."""
        asked = {name: term.examples(concept, draw) for name, term in terms.items()}
        parts = [part for group in asked.values() for part in group]
        targets = self._targets(parts)
        of_concept, *predictions = self._student([concept, *(part.rows for part in parts)])
        loss = self.concept_loss(concept, of_concept)
        pairs = list(zip(predictions, targets, strict=True))
        found: dict[str, torch.Tensor] = {}
        first = 0
        for name, group in asked.items():
            if group:
                found[name] = _mean(pairs[first : first + len(group)])
            first += len(group)
        for name, term in terms.items():
            penalty = term.penalty()
            if penalty is not None:
                found[name] = penalty
        return Losses(loss, found)

    def concept_loss(self, rows: Rows, prediction: torch.Tensor) -> torch.Tensor:
        """Return the denoising error of rows, weighted by min-SNR if the plan wants it."""
        schedule = self._denoiser.schedule
        errors = F.mse_loss(prediction.float(), schedule.target(rows.x0, rows.eps, rows.t), reduction="none")
        return (errors.flatten(1).mean(1) * min_snr_weights(schedule, rows.t, self._min_snr)).mean()

    def validation_loss(self, rows: Rows) -> float:
        """Return the plain denoising error of held-out rows, without gradients."""
        with torch.no_grad():
            (prediction,) = self._student([rows])
            target = self._denoiser.schedule.target(rows.x0, rows.eps, rows.t)
            return float(F.mse_loss(prediction.float(), target))

    def _targets(self, parts: Sequence[Examples]) -> list[torch.Tensor]:
        """Return the target of each part; the base is asked, with the adapter off, for those that have none."""
        open_rows = [part.rows for part in parts if part.target is None]
        if not open_rows:
            return [part.target for part in parts if part.target is not None]
        with torch.no_grad(), self._method.off():
            answers = iter(by_shape(open_rows, lambda rows: self._ask(rows, self._base_text(rows))))
        return [next(answers) if part.target is None else part.target for part in parts]

    def _student(self, parts: Sequence[Rows]) -> list[torch.Tensor]:
        return by_shape(parts, lambda rows: self._ask(rows, self._student_text(rows)))

    def _ask(self, parts: list[Rows], cond: Conditioning) -> torch.Tensor:
        x0, eps, t = (torch.cat([getattr(rows, name) for rows in parts]) for name in ("x0", "eps", "t"))
        x_t = self._denoiser.schedule.noise(x0, eps, t).to(self._denoiser.dtype)
        with self._autocast():
            return self._denoiser.forward(x_t, t, cond)

    def _base_text(self, parts: list[Rows]) -> Conditioning:
        return self._texts.rows([caption for rows in parts for caption in rows.captions])

    def _student_text(self, parts: list[Rows]) -> Conditioning:
        captions = [caption for rows in parts for caption in rows.captions]
        if not self._method.trains_text:
            return self._texts.rows(captions)
        distinct = list(dict.fromkeys(captions))
        with self._autocast():
            return self._denoiser.embed_text(distinct).rows([distinct.index(caption) for caption in captions])

    def _autocast(self) -> AbstractContextManager[object]:
        kind = self._denoiser.device.type
        return torch.autocast(kind, self._precision, enabled=self._precision != torch.float32)


def _mean(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Return the mean squared error over the rows of all (prediction, target) pairs."""
    errors = [F.mse_loss(p.float(), t.float(), reduction="none").flatten(1).mean(1) for p, t in pairs]
    return torch.cat(errors).mean()


def min_snr_weights(schedule: Schedule, t: torch.Tensor, gamma: float) -> torch.Tensor | float:
    """Return the min-SNR weight (N,) of each timestep (Hang et al. 2023, eq. 8 and its form for v); 1 if gamma is 0.

    Flow targets have no such form in the literature and are weighted like v, whose target is as large.
    """
    if gamma == 0:
        return 1.0
    place = t.cpu()  # not every device has float64
    snr = (schedule.signal[place] / schedule.sigma[place]).square()
    divisor = snr if schedule.prediction_type == "epsilon" else snr + 1
    return (snr.clamp(max=gamma) / divisor.clamp(min=1e-20)).float().to(t.device)
