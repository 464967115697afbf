"""A diffusers scheduler's configuration as the forward process that it stands for."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from ...errors import UsageError
from ...foreign import foreign
from ...prediction_types import EPSILON, V, is_flow, prediction_named
from ..diffusion.schedule import Schedule, variance_preserving, zero_terminal

_STEPS = (100, 10_000)
"""Fewest and most timesteps that are believed: every Stable Diffusion has 1,000."""


def schedule_of(config: Mapping[str, Any]) -> Schedule:
    """Return the schedule of a scheduler's configuration.

    Raises UsageError for processes and predictions that are not those of Stable Diffusion, and for numbers that are
    no schedule.
    """
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    _require_diffusion(config)
    stated = config.get("prediction_type", EPSILON)
    kind = prediction_named(stated) if isinstance(stated, str) else None
    if kind is None:
        raise UsageError(f"The base's scheduler says that it predicts {stated!r}; {EPSILON} and {V} are read.")
    plain = {**_own_defaults(config), **config, "prediction_type": kind, "rescale_betas_zero_snr": False}
    with foreign("The base's scheduler configuration is no noise schedule"):
        scheduler: Any = DDPMScheduler.from_config(plain)
        alphas = scheduler.alphas_cumprod.double()
    _require_sound(alphas)
    return variance_preserving(zero_terminal(alphas) if config.get("rescale_betas_zero_snr") else alphas, kind)


_OF_SCHEDULES = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")


def _own_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the class that a configuration names takes where the configuration says nothing."""
    import diffusers

    named: Any = getattr(diffusers, str(config.get("_class_name")), None)
    known = {} if named is None else inspect.signature(named).parameters
    return {name: known[name].default for name in _OF_SCHEDULES if name in known}


def _require_diffusion(config: Mapping[str, Any]) -> None:
    """Raise UsageError for a scheduler that is not one of a variance-preserving diffusion."""
    import diffusers

    steps = config.get("num_train_timesteps", 1000)
    if type(steps) is not int or not _STEPS[0] <= steps <= _STEPS[1]:
        raise UsageError(f"The base's scheduler has num_train_timesteps {steps!r}; Stable Diffusion has 1000.")
    stated = config.get("prediction_type")
    if config.get("use_flow_sigmas") or (isinstance(stated, str) and is_flow(stated)):
        raise UsageError(
            "The base's scheduler is one of rectified flow (use_flow_sigmas or prediction_type), on which audits do "
            "not run."
        )
    if config.get("timestep_type") == "continuous":
        raise UsageError(
            "The base's scheduler asks at continuous times (timestep_type), as models of the EDM process do; audits do "
            "not run on them."
        )
    name = config.get("_class_name")
    if name is None:
        return
    known: Any = getattr(diffusers, str(name), None)
    if known is None:
        raise UsageError(f"The base's scheduler is {name!r}, which this release of diffusers does not know.")
    if "beta_schedule" not in inspect.signature(known).parameters:  # flows and EDM have sigmas of their own
        raise UsageError(
            f"The base's scheduler is {name}, whose process is not that of Stable Diffusion; audits do not run on it."
        )


def _require_sound(alphas: torch.Tensor) -> None:
    """Raise UsageError unless the share of the picture falls from above 0 to at least 0, step by step."""
    falls = bool(torch.isfinite(alphas).all()) and bool((alphas.diff() <= 0).all())
    if not falls or not 0 < float(alphas[0]) <= 1 or float(alphas[-1]) < 0:
        raise UsageError(
            "The base's scheduler configuration is no noise schedule: the share of the picture that is left must fall "
            f"from 1 towards 0, and goes from {float(alphas[0]):.3g} to {float(alphas[-1]):.3g}."
        )
