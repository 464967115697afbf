"""What a single-file checkpoint says of its own process: marker tensors, metadata, settings beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

from ....disk.files import open_regular
from ....errors import UsageError
from ....foreign import foreign
from ....prediction_types import EPSILON, V, is_flow, prediction_named
from ....text import inert
from .weight_files import Header


def prediction(header: Header, path: Path) -> dict[str, object]:
    """Return the settings of the scheduler that a checkpoint itself states, by marker tensors, metadata or settings.

    The hosts go by markers: `v_pred` means v-prediction, `ztsnr` that the last step is pure noise. Metadata
    (`modelspec.prediction_type`, ComfyUI's `modelspec.predict_key`) counts where there are none, and the settings
    beside the file (A1111's `.yaml`) where it says nothing either. Raises UsageError for processes that audits do not
    run on, and where settings beside the file say another than what is in it.
    """
    found = sorted(name for name in header.shapes if name.startswith("edm_"))
    if found:
        raise UsageError(f"{path} is marked as a model of the EDM process ({found[0]}), on which audits do not run.")
    stated, beside = _stated(header, path), _stated_beside(path)
    if stated is not None and beside is not None and stated.kind != beside.kind:
        raise UsageError(
            f"{path} says that it predicts {stated.kind} ({stated.source}), and {beside.source} that it predicts "
            f"{beside.kind}. Correct the one that is wrong, or remove it."
        )
    settings: dict[str, object] = {}
    statement = stated or beside
    if statement is not None:
        settings["prediction_type"] = statement.kind
    if "ztsnr" in header.shapes:
        settings["rescale_betas_zero_snr"] = True
    return settings


@dataclass(frozen=True)
class _Statement:
    """What a checkpoint predicts by its own account, or by that of a file beside it."""

    kind: str
    """"epsilon" or "v_prediction"."""
    source: str
    """Where that is said."""


def _stated(header: Header, path: Path) -> _Statement | None:
    if "v_pred" in header.shapes:
        return _Statement(V, "the marker v_pred")
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        text = header.metadata.get(key, "").strip()
        if text:
            return _Statement(_read(text, f"{path} says", key), key)
    return None


_LARGEST_SETTINGS = 2**16
"""Bytes of settings beside a checkpoint that are looked through: Stable Diffusion's have 2,000."""
_PARAMETERIZATION = re.compile(r"(?m)^[ \t]*parameterization[ \t]*:(.*)$")
_SCALING = re.compile(r"(?m)^[ \t]*target[ \t]*:[ \t\"']*sgm\.[\w.]*denoiser_scaling\.(\w+)")
"""The class that says it in settings of Stable Diffusion XL."""
_SCALINGS = {"EpsScaling": EPSILON, "VScaling": V}


def _stated_beside(path: Path) -> _Statement | None:
    """Return what the `.yaml` of the same name says: the one line, as the rest names classes that are to be run.

    That is `parameterization` of Stable Diffusion 1 and 2, and the denoiser's scaling of Stable Diffusion XL.
    """
    beside = path.with_suffix(".yaml")
    if not beside.is_file():
        return None
    with foreign(f"{beside} cannot be read"), open_regular(beside) as file:
        content = file.read(_LARGEST_SETTINGS).decode(errors="replace")
    kinds = [
        _read(text.partition("#")[0].strip(" \t\r\"'"), f"{beside} says", "parameterization")
        for text in _PARAMETERIZATION.findall(content)
    ]
    for name in _SCALING.findall(content):
        if name not in _SCALINGS:
            raise UsageError(f"{beside} says that it is a model of {name}, a process on which audits do not run.")
        kinds.append(_SCALINGS[name])
    if len(set(kinds)) > 1:
        raise UsageError(
            f"{beside} says that the checkpoint predicts {' and '.join(sorted(set(kinds)))}: it is one of them."
        )
    return _Statement(kinds[0], str(beside)) if kinds else None


def _read(text: str, says: str, key: str) -> str:
    kind = prediction_named(text)
    if is_flow(text):
        raise UsageError(f"{says} that it is a model of rectified flow ({key}), on which audits do not run.")
    if kind is None:
        raise UsageError(f"{says} that it predicts {inert(text, 40)!r} ({key}); {EPSILON} and v are read.")
    return kind
