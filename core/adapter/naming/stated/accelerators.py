"""Accelerators: LoRAs that let their base draw in a few steps, told by what they call themselves.

Such a LoRA changes what the model predicts on purpose. Its weights look like any other's: only its name says so, and
names of ordinary LoRAs have lightning, turbos and hyper realism in them too. So a name counts only where it says
nothing else, or counts steps beside the word.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....disk.tensor_files import PICKLES, SAFETENSORS
from ....text import counted
from ...module import AdapterModule
from .metadata import parsed


@dataclass(frozen=True)
class Method:
    """A way to distil a model into one of few steps."""

    title: str
    pattern: str
    """Regular expression of its name in small words with single spaces between."""
    is_a_word: bool = False
    """Whether the name is an English word, that other things are called by too."""


METHODS = (
    Method("Lightning", "lightning", is_a_word=True),
    Method("Hyper-SD", "hyper", is_a_word=True),
    Method("Turbo", "turbo", is_a_word=True),
    Method("Flash Diffusion", "flash", is_a_word=True),
    Method("LCM", "lcm(?: ?v ?2)?|latent consistency(?: models?)?"),
    Method("TCD", "tcd|trajectory consistency(?: distillation)?"),
    Method("DMD2", r"dmd ?2|dmd(?= \d+ ?steps?)|distribution matching(?: distillation)?"),
    Method("TDM", "tdm|trajectory distribution matching"),
    Method("PCM", "pcm|phased consistency(?: models?)?"),
    Method("CausVid", "caus ?vid"),
    Method("LightX2V", "light ?x ?2 ?v"),
    Method("step distillation", "(?:cfg )?step distill(?:ed|ation)?"),
    Method("step distillation", r"(?<!de )distill(?:ed|ation)?", is_a_word=True),
)

_BASES = (
    "z ?image (?:turbo|base)",  # the base's own name: a LoRA that is trained on it is no Turbo
    "z ?image",
    "krea ?2? (?:turbo|raw)",
    "krea ?2?",
    "sd ?xl(?: base)?(?: 1 0)?",
    "sd ?v?1 ?[45]",
    "sd ?v?2 ?1",
    "sd ?v?3(?: ?5)?(?: (?:medium|large))?",
    "sd ?[123]",
    "stable diffusion(?: xl)?",
    "ssd ?1b",
    "flux ?[12]?(?: (?:dev|klein))?(?: base)?(?: ?[49] ?b)?(?: base)?",
    "qwen(?: image)?(?: edit)?(?: 2\\d{3})?",
    "wan ?(?:2 ?[125])?",
    "hunyuan ?(?:video|image|dit)?",
    "ltx ?(?:video|v)?(?: ?2)?",
    "pixart(?: (?:alpha|sigma))?",
    "animate ?diff",
    "(?:pony|illustrious|noob ?ai|animagine|kolors|chroma|sana|cosmos|anima)(?: ?xl)?",
)
_NEUTRAL = (
    "loras?|locon|adapters?|weights?|pytorch|diffusers|comfy(?: ?ui)?|kohya|unet|models?|base|official|converted",
    "extract(?:ed)?|distill(?:ed|ation)?|accelerat(?:or|ed|ion)|speed ?up|student|final|full|small|medium|large|alpha",
    "beta|preview|ema|xl|cfg|(?:small|normal)cfg|edit|[ti]2[vi]|(?:high|low)(?: noise)?|fun|a?(?:5|14) ?b|bf ?16",
    "fp ?(?:8|16|32)|(?:rank|dim|r|v) ?\\d{1,3}|\\d{1,3} ?dim",
    "1[0-6]|\\d|32|64|128|256",  # versions and ranks; any other number says something
)
_STEPS = re.compile(r"(?<![\dv])(1[0-6]|[1-9]|2[0-9]|32) ?steps?\b")
"""Steps of a sampler. A trainer's checkpoints count hundreds, behind the word and with leading zeros."""
_BASE = re.compile(rf"\b(?:{'|'.join(_BASES)})\b")
_NOTHING_SAID = re.compile(rf"\b(?:{'|'.join(_NEUTRAL)})\b")
_RAW_TO_TURBO = re.compile(r"krea ?2 turbo lora\b")
"""What is called so makes a Turbo of Krea 2 Raw; LoRAs that people train on Turbo say more."""
_METHOD = {method: re.compile(rf"\b(?:{method.pattern})(?![a-z])") for method in METHODS}
_ANY_METHOD = re.compile(rf"\b(?:{'|'.join(method.pattern for method in METHODS)})(?![a-z])")

_TITLES = ("modelspec.title", "ss_output_name", "title", "name", "model_name", "repo_id", "modelspec.repo_id")
"""Where metadata say what the file itself is called."""
_IN_CACHE = re.compile(r"models-{2}(?:.+-{2})?(.+)")
"""Folder of a repository in the hub's cache: owner and name behind double hyphens."""
_LONGEST = 200
"""Characters of a name that are read; file systems end names at 255 bytes."""


def accelerator_notes(path: Path, metadata: Mapping[str, str], modules: Sequence[AdapterModule]) -> Iterator[str]:
    """Yield the sentence that says of an accelerator what it is; nothing for any other file."""
    taught = _is_taught_by_pictures(metadata) or any(module.component.startswith("text_encoder") for module in modules)
    for where, name in own_names(path, metadata):
        found = accelerator_named(name)
        if found is None:
            continue
        method, steps = found
        if taught and not steps:  # no accelerator learns from captioned pictures, or changes a text encoder
            continue
        many = f" for {counted(steps, 'step')}" if steps else ""
        yield (
            f"by its {where} this is an accelerator ({method.title}{many}): it changes the model on purpose, for "
            "another sampler than the audit's, so that drift measured here is not damage alone"
        )
        return


def accelerator_named(name: str) -> tuple[Method, int] | None:
    """Return which accelerator has such a name, and its steps (0: not said); None for names of other things."""
    text = spaced(name)
    without_bases = _single(_BASE.sub(" ", text))
    method = next((m for m, pattern in _METHOD.items() if pattern.search(without_bases)), None)
    if method is None and _RAW_TO_TURBO.match(text) and not _NOTHING_SAID.sub(" ", without_bases).strip():
        return next(m for m in METHODS if m.title == "Turbo"), 0
    if method is None:
        return None
    counted_steps = _STEPS.search(text)
    steps = int(counted_steps[1]) if counted_steps else 0
    rest = _STEPS.sub(" ", _ANY_METHOD.sub(" ", without_bases))
    says_more = bool(_NOTHING_SAID.sub(" ", rest).strip())
    if not method.is_a_word:
        return (method, steps) if steps or not says_more else None
    if steps:
        return (method, steps) if not says_more or _beside(method, without_bases) else None
    # Lightning is somebody too, and so is Flash: their names come first, a base's name comes before its variant's.
    after_base = re.search(rf"^(?:{'|'.join(_BASES)}) (?:lightning|turbo)\b", text) is not None
    return (method, 0) if after_base and not says_more else None


def _beside(method: Method, text: str) -> bool:
    """Return whether steps are counted right before or after the method's name."""
    name, steps = f"(?:{method.pattern})", r"\d+ ?steps?"
    return re.search(rf"\b{name} ?{steps}\b|\b{steps} {name}\b", text) is not None


def names_a_base(name: str) -> bool:
    """Return whether a name, in small words, has that of a base in it."""
    return _BASE.search(name) is not None


def own_names(path: Path, metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield where a name stands and the name: of the file, of its folder if it says nothing, and by the metadata."""
    suffix = path.suffix.lower()
    stem = path.stem if suffix in (*SAFETENSORS, *PICKLES) else path.name
    yield "file name", stem
    if not _NOTHING_SAID.sub(" ", _BASE.sub(" ", spaced(stem))).strip():
        above = path.absolute().parent
        yield "folder's name", f"{above.name} {stem}"
        repository = next(filter(None, map(_IN_CACHE.fullmatch, above.parts)), None)
        yield "repository's name", repository[1] if repository else ""
    for key in _TITLES:
        yield "metadata", metadata.get(key, "")[:_LONGEST].rpartition("/")[2]


def _is_taught_by_pictures(metadata: Mapping[str, str]) -> bool:
    tags = parsed(metadata, "ss_tag_frequency")
    images = metadata.get("ss_num_train_images", "").strip()
    return bool(tags) or images.strip("0") not in ("", "None") or bool(metadata.get("modelspec.trigger_phrase"))


def spaced(name: str) -> str:
    """Return a name in small words: punctuation, and where capitals begin a word, become spaces."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name[:_LONGEST])
    return re.sub(r"\blo ra(s?)\b", r"lora\1", _single(re.sub(r"[^0-9a-z]+", " ", apart.lower())))


def _single(text: str) -> str:
    return " ".join(text.split())
