"""ComfyUI's model_sampling as a Schedule, and its denoised latents as predictions."""

from typing import Any

import torch

from ....core.errors import UsageError
from ....core.model.backends.flow import empirical
from ....core.model.diffusion.schedule import Schedule, rectified_flow


def prediction_type(sampling: Any) -> str:
    """Return "epsilon", "v_prediction" or "flow"; raise UsageError for every other parametrisation."""
    from comfy import model_sampling as known

    # EDM and X0 are subclasses of the two that are meant here, so the exceptions come first.
    others = (known.EDM, known.X0, known.COSMOS_RFLOW)
    if isinstance(sampling, known.CONST):
        return "flow"
    plain = getattr(sampling, "sigma_data", None) == 1.0 and not isinstance(sampling, others)
    if plain and isinstance(sampling, known.V_PREDICTION):
        return "v_prediction"
    if plain and isinstance(sampling, known.EPS):
        return "epsilon"
    kinds = " / ".join(base.__name__ for base in type(sampling).__bases__)
    raise UsageError(f"MODEL samples with {kinds}; audits run on epsilon, v and flow models.")


def schedule_of(model: Any, side: int) -> Schedule:
    """Return the forward process of a MODEL over the timesteps that it lists sigmas of.

    FLUX.2 as it was loaded is drawn with a scheduler of its own (Flux2Scheduler), which shifts by the size of a picture
    and by the steps: then `side` by `side` latents count, and not the one shift that MODEL has.
    """
    sampling = model.get_model_object("model_sampling")
    kind = prediction_type(sampling)
    sigmas = sampling.sigmas.detach().double().cpu()
    if _is_shifted_by_steps(model, sampling):
        shift = empirical(side**2)
        return rectified_flow(len(sigmas), shift.log, shift.growth)
    if kind == "flow":
        return Schedule(1 - sigmas, sigmas, kind)
    # ComfyUI adds noise to latents of unchanged size; a Schedule keeps the variance.
    signal = (1 + sigmas.square()).rsqrt()
    return Schedule(signal, sigmas * signal, kind)


def _is_shifted_by_steps(model: Any, sampling: Any) -> bool:
    """Return whether MODEL is a FLUX.2 whose shift nobody has set."""
    from comfy import model_base

    flux2 = getattr(model_base, "Flux2", ())  # ComfyUI of 2025 has none
    return isinstance(model.model, flux2) and sampling.shift == model.model.model_config.sampling_settings["shift"]


def noise_levels(schedule: Schedule, sampling: Any, t: torch.Tensor) -> torch.Tensor:
    """Return ComfyUI's noise levels (N,) float32 of timesteps t (N,), on their device."""
    levels = schedule.sigma if schedule.prediction_type == "flow" else sampling.sigmas
    return levels[t.to(levels.device)].float().to(t.device)


def to_host(schedule: Schedule, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return noised latents (N, ...) at timesteps t (N,) as ComfyUI scales them, in float32."""
    if schedule.prediction_type == "flow":
        return x_t.float()
    signal, _ = schedule.factors(t, x_t.float())
    return x_t.float() / signal


def prediction(schedule: Schedule, x: torch.Tensor, sigma: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Return what a network must have said for ComfyUI to get `denoised` from its latents x (N, ...) at sigma (N,)."""
    sigma = sigma.view(-1, *[1] * (x.ndim - 1))
    if schedule.prediction_type != "v_prediction":
        return (x - denoised) / sigma
    variance = sigma.square() + 1
    return (x / variance - denoised) * variance.sqrt() / sigma
