"""Halves of one LoRA: Wan 2.2 draws with two networks, one for high and one for low noise, and each has a file.

Nothing in the weights says which network a file is for: that stands in its name, or in the times of its training.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_SAID = re.compile(r"(?<![a-z])(high|low) ?noise(?![a-z])")
"""How file names, in small words, say which half they are."""
_SHORT = re.compile(r"(?<![a-z])(h|l)(?:igh|ow|n)?(?: (?:v|e|epoch|step)? ?\d+| (?:fp|bf) ?\d+)*$")
"""The same in short, at the end of a name: anywhere else it may be said of quality, or of polygons."""
_IS_22 = re.compile(r"2 ?2|14 ?b")
"""What names have in them that are of Wan 2.2, or of a network as large as its two."""
_TURN = range(850, 925)
"""Timesteps of 1,000 around the one at which the networks take turns: 875 for text to video, 900 for image to video."""
_FIRST, _LAST = range(100), range(980, 1001)
"""Timesteps at which trainers let all times begin and end."""
_RANGE = re.compile(r"\s*(\d{1,4})\s*,\s*(\d{1,4})\s*", re.ASCII)
_LONGEST = 200
"""Characters of a name that are read."""


def half_notes(path: Path, metadata: Mapping[str, str], family: str | None, version: str) -> Iterator[str]:
    """Yield the sentence that says which half of a Wan 2.2 LoRA a file is; nothing for other files.

    `version` is the family by the file's own account.
    """
    if family != "wan":
        return
    words = re.sub(r"[^0-9a-z]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", path.stem[:_LONGEST]).lower())
    by_name = _by_name(words, version)
    which = by_name or _by_times(metadata.get("modelspec.timestep_range", ""))
    source = "file name" if by_name else "times of training"
    whole = "LoRAs of Wan 2.2 with 14B come as two files, one for each of its networks, and only both together are one"
    if which:
        yield f"by its {source} this is the {which}-noise half of a LoRA: {whole}"
    elif version.startswith("wan_2.2_14b"):
        yield f"this may be half of a LoRA, of high or of low noise, which it does not say: {whole}"


def _by_name(words: str, version: str) -> str:
    """Return "high" or "low" where a name says one of them, "" where it says none or both."""
    said = set(_SAID.findall(words))
    if not said and (_IS_22.search(words) or _IS_22.search(version.replace(".", " "))):
        said = {{"h": "high", "l": "low"}[letter] for letter in _SHORT.findall(words)}
    return said.pop() if len(said) == 1 else ""


def _by_times(text: str) -> str:
    """Return the half that was trained at times "from,to"; "" for times of both, or none."""
    found = _RANGE.fullmatch(text[:_LONGEST])
    if found is None:
        return ""
    start, end = int(found[1]), int(found[2])
    if start in _FIRST and end in _TURN:
        return "low"
    return "high" if start in _TURN and end in _LAST else ""
