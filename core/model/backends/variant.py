"""Which of a family's bases settings on disk are of, and the times of one whose settings are another's. No torch.

Pictures and times go by the same answer: see `families.decide`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...families import Drawing, Family
from ...families.variants import IS_DISTILLED

if TYPE_CHECKING:
    from .parts import Parts

_SHIFT, _GUIDANCE = "shift", "guidance_embeds"


def settings_of(root: Path, index: Mapping[str, Any], denoiser: str) -> dict[str, object]:
    """Return what a diffusers folder says of which base of a family it is, by the settings' names."""
    from .files.weight_files import read_object

    said: dict[str, object] = {}
    if isinstance(index.get(IS_DISTILLED), bool):
        said[IS_DISTILLED] = index[IS_DISTILLED]
    for name, file in (
        (_SHIFT, root / "scheduler" / "scheduler_config.json"),
        (_GUIDANCE, root / denoiser / "config.json"),
    ):
        config = read_object(file) if file.is_file() else {}
        if isinstance(config.get(name), (int, float)) and not (name == _SHIFT and config.get("use_dynamic_shifting")):
            said[name] = config[name]
    return said


def with_times(parts: "Parts", drawing: Drawing, family: Family) -> "Parts":
    """Return parts whose settings are of a folder beside a file, with those by which this base of a family is asked.

    A shift that is none of the family's bases' is the user's, and stays.
    """
    wanted, config = dict(drawing.settings), parts.scheduler.config
    known = [dict(other.settings).get(_SHIFT) for other in family.drawings]
    if IS_DISTILLED in wanted:
        parts = replace(parts, index={**parts.index, IS_DISTILLED: wanted[IS_DISTILLED]})
    if _SHIFT in wanted and not config.get("use_dynamic_shifting") and config.get(_SHIFT) in known:
        parts = replace(parts, scheduler=replace(parts.scheduler, config={**config, _SHIFT: wanted[_SHIFT]}))
    return parts
