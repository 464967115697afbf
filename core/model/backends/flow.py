"""A diffusers configuration of rectified flow, and how a pipeline shifts it, as the process that it stands for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ..diffusion.schedule import SHIFT_STEPS, Schedule, rectified_flow

_CLASS = "FlowMatchEulerDiscreteScheduler"
_OTHER_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas")
"""Settings under which samplers take other times than those that a shift gives."""
_COUNTED = 1000
"""How many times schedulers count pure noise as, for which all these models were trained; by another number diffusers
would tell a transformer another time for the same noise."""
_LARGEST_SHIFT = 100.0
"""Largest shift that is believed: Z-Image has 3, FLUX.1 as much as 3.2, FLUX.2 up to 10."""


@dataclass(frozen=True)
class Shift:
    """Logarithm of a shift by how many tokens a picture has and how many steps its sampler takes."""

    log: float
    """At `SHIFT_STEPS` steps."""
    growth: float = 0.0
    """With each step more."""


def flow_of(config: Mapping[str, Any], steps: int, dynamic: Shift) -> Schedule:
    """Return the schedule of a scheduler's configuration in `steps` timesteps.

    `dynamic` is the shift that its pipeline computes for pictures of its size; it counts where the configuration says
    so (`use_dynamic_shifting`), else the configuration's own does. Raises UsageError for processes that are no
    rectified flow with a shift.
    """
    _require_flow(config)
    terminal = _terminal(config)
    if not config.get("use_dynamic_shifting", False):
        shift = config.get("shift", 1.0)
        if not isinstance(shift, (int, float)) or not 1 / _LARGEST_SHIFT <= shift <= _LARGEST_SHIFT:
            raise UsageError(f"The base's scheduler has shift {shift!r}, which no model has.")
        return rectified_flow(steps, math.log(shift), terminal=terminal)
    if config.get("time_shift_type", "exponential") != "exponential":
        raise UsageError("The base's scheduler shifts its times in another way than exponentially (time_shift_type).")
    return rectified_flow(steps, dynamic.log, dynamic.growth, terminal)


def _terminal(config: Mapping[str, Any]) -> float:
    """Return the share of the noise at which a sampler's last step begins, as Qwen-Image's says; 0 for none."""
    said = config.get("shift_terminal")
    if not said and not isinstance(said, str):
        return 0.0
    if not isinstance(said, (int, float)) or not 0 < said < 1:
        raise UsageError(
            f"The base's scheduler stretches its times to {said!r} (shift_terminal), and noise has a share of 0 to 1."
        )
    return float(said)


def by_size(config: Mapping[str, Any], tokens: int) -> Shift:
    """Return the shift that grows with the tokens of a picture, as FLUX.1's, by a scheduler's configuration.

    What it does not say is as in diffusers' pipelines. Raises UsageError for numbers that are no shift.
    """
    defaults = {"base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15}
    given = {name: config.get(name, default) for name, default in defaults.items()}
    if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in given.values()):
        raise UsageError(f"The base's scheduler has no numbers for its shift, but {given}.")
    few, many = given["base_image_seq_len"], given["max_image_seq_len"]
    if few == many:
        raise UsageError(f"The base's scheduler shifts between pictures of {few} tokens and of {many}.")
    slope = (given["max_shift"] - given["base_shift"]) / (many - few)
    return _believed(Shift(given["base_shift"] + slope * (tokens - few)))


_LARGE = 4300
"""Tokens from which on FLUX.2's shift does not depend on the steps."""


def empirical(tokens: int) -> Shift:
    """Return the shift of FLUX.2, which was fitted to what looked best: linear in tokens, and in steps between them."""
    of_200 = 0.00016927 * tokens + 0.45666666
    if tokens > _LARGE:
        return Shift(of_200)
    of_10 = 8.73809524e-05 * tokens + 1.89833333
    growth = (of_200 - of_10) / 190
    return Shift(of_200 + growth * (SHIFT_STEPS - 200), growth)


def _believed(shift: Shift) -> Shift:
    if abs(shift.log) > math.log(_LARGEST_SHIFT):
        raise UsageError(f"The base's scheduler shifts its times by e^{shift.log:.3g}, which no model does.")
    return shift


def _require_flow(config: Mapping[str, Any]) -> None:
    name = config.get("_class_name", _CLASS)
    if name != _CLASS:
        raise UsageError(f"The base's scheduler is {name}; models of this kind are read with {_CLASS}.")
    counted = config.get("num_train_timesteps", _COUNTED)
    if counted != _COUNTED:
        raise UsageError(
            f"The base's scheduler has num_train_timesteps {counted!r}; models of this kind were trained with "
            f"{_COUNTED}."
        )
    odd = [setting for setting in _OTHER_SIGMAS if config.get(setting)]
    if config.get("stochastic_sampling"):
        odd.append("stochastic_sampling")
    if odd:
        raise UsageError(f"The base's scheduler draws in a way that is not known here ({', '.join(odd)}).")
