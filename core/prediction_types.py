"""What a network predicts, as settings, checkpoints and LoRA files spell it. No torch."""

EPSILON, V = "epsilon", "v_prediction"

_NAMES = {
    "epsilon": EPSILON,
    "eps": EPSILON,
    "eps_pred": EPSILON,
    "epsilon_prediction": EPSILON,
    "v": V,
    "vpred": V,
    "v_pred": V,
    "v_prediction": V,
    "vprediction": V,
    "v_parameterization": V,
}
"""Spelling, in small letters with _ for dashes and spaces -> the name that diffusers uses."""


def prediction_named(text: str) -> str | None:
    """Return "epsilon" or "v_prediction" for any spelling of the two; None for any other text."""
    return _NAMES.get(text.strip().lower().replace("-", "_").replace(" ", "_"))


_FLOWS = ("flow", "rf", "rectified_flow", "flow_matching", "flow_prediction")


def is_flow(text: str) -> bool:
    """Return whether a text names the prediction of rectified flow."""
    return text.strip().lower().replace("-", "_").replace(" ", "_") in _FLOWS
