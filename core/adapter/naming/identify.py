"""Which base a LoRA was made for, by shapes first and metadata second, and which format it is in."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ... import families
from ...families import Family
from ..module import AdapterModule
from .by_layers import alike, has_other_sizes, listed
from .first_layer import inputs_of, trained_on
from .names import DENOISERS, is_typical
from .prefixes import FIRST_OF_SEVERAL
from .stated.metadata import Training
from .usual_layers import usual_layers

_CROSS = ("attn2_to_k", "attn2_to_v")
_FORMATS = {
    "kohya": "kohya",
    "sgm": "kohya with LDM block names",
    "peft": "diffusers PEFT",
    "diffusers": "diffusers 0.18 to 0.21",
    "omi": "original names",
    "attn_procs": "diffusers attention processors",
    "custom_diffusion": "Custom Diffusion weights",
    "comfy": "ComfyUI dotted names",
    "lycoris": "LyCORIS wrapper",
    "peft folder": "PEFT",
    "xlabs": "XLabs",
    "bare": "bare module names",
}


@dataclass(frozen=True)
class Identity:
    """What is concluded about a file's origin."""

    family: str | None
    """Family of base models; None when nothing tells."""
    warnings: tuple[str, ...]
    """Contradictions between shapes and metadata."""


def format_of(dialects: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the most frequent dialect, and a warning where dialects are mixed.

    kohya's own text-encoder names beside LDM block names are one format, not a mixture.
    """
    counts = Counter(dialects)
    if counts["sgm"]:
        counts["sgm"] += counts.pop("kohya", 0)
    if not counts:
        return "unknown", ()
    ordered = [_FORMATS.get(dialect, dialect) for dialect, _ in counts.most_common()]
    mixed = (f"the file mixes formats: {', '.join(ordered)}",) if len(ordered) > 1 else ()
    return ordered[0], mixed


def identify(modules: Sequence[AdapterModule], stated: Training, metadata: Mapping[str, str]) -> Identity:
    """Return the family that shapes show, else the one that metadata claims; warns if they differ."""
    found = _identify(modules, stated, metadata)
    return replace(found, warnings=(*found.warnings, *_about_inputs(modules, found.family)))


def _about_inputs(modules: Iterable[AdapterModule], family: str | None) -> Iterator[str]:
    """Yield what a first layer that reads more than latents says of the base of training."""
    for module in modules:
        kind = trained_on(module, family)
        if kind is not None:
            yield f"its first layer reads {inputs_of(module)} channels: it was trained on {kind}"


def _identify(modules: Sequence[AdapterModule], stated: Training, metadata: Mapping[str, str]) -> Identity:
    width = context_width(modules)
    shown = _family_by_shape(modules, width)
    claimed = _meant(claimed_families(stated, metadata), shown, modules)
    if shown is None and width is not None and claimed is not None and claimed.context_width not in (None, width):
        note = f"metadata says {claimed.name}, but cross-attention has width {width}"
        return Identity(None, (note,))
    if shown is not None and claimed is not None and shown.name != claimed.name:
        if _fitting(claimed.shared, _paths(modules)):
            return Identity(claimed.name, ())
        return Identity(shown.name, (f"the metadata says {claimed.name}, the weights are for {shown.name}",))
    denoiser = _denoiser(modules)
    if shown is None and claimed is not None and _denoiser_of(claimed) not in (None, denoiser) and denoiser:
        return Identity(
            None, (f"the metadata says {claimed.name}, but the modules are those of a {DENOISERS[denoiser]}",)
        )
    if shown is None and claimed is not None and has_other_sizes(claimed, modules):
        return Identity(None, (f"the metadata says {claimed.name}, but most layers have other sizes there",))
    if claimed is None and width is None:
        return _by_layers(modules, shown, stated)
    best = claimed or shown
    return Identity(best.name if best else None, ())


def _by_layers(modules: Sequence[AdapterModule], shown: Family | None, stated: Training) -> Identity:
    """Return which family a file is of that claims none: by all its layers, where markers do not tell, or not alone.

    Of families that have the same layers the one is meant that the base by its own account is of, else the one of
    whose rows of blocks the file changes the last and no further one. Where that is the choice, it is said.
    """
    found = alike(modules)
    known = [each.family for each in found]
    if not found:
        return Identity(shown.name if shown else None, ())
    is_unknown = shown is not None and not usual_layers(shown.name)
    known += [shown] if shown is not None and is_unknown else []
    named = [family for family in known if _is_base(family, stated.base_model)]
    if len(named) == 1:
        return Identity(named[0].name, ())
    said = f"its layers, and their sizes, are those of {listed(known)}"
    if len(known) == 1:
        if shown is None and _fitting(known[0].shared, _paths(modules)):
            return Identity(None, (f"{said}, but not of it alone, and nothing says for which it was made",))
        return Identity(known[0].name, ())
    whole = [each.family for each in found if each.to_the_last_block]
    if len(whole) == 1 and not is_unknown:  # of whose blocks nobody knows the number
        note = f"{said} alike: it is taken for one of {whole[0].title}, whose last blocks are its last"
        return Identity(whole[0].name, (note,))
    return Identity(None, (f"{said} alike, and nothing says for which it was made",))


def _is_base(family: Family, name: str) -> bool:
    """Return whether a base is one of a family by its name."""
    return name in (family.hub_id, *family.of_its_size) or family.drawing_named([name]) is not None


def _meant(claimed: Sequence[Family], shown: Family | None, modules: Sequence[AdapterModule]) -> Family | None:
    """Return which of the families that metadata name alike is meant: by the weights, if it is one of several."""
    if len(claimed) < 2:
        return claimed[0] if claimed else None
    paths = _paths(modules)
    fits = [family for family in claimed if family is shown or _fitting(family.shared, paths)]
    return fits[0] if len(fits) == 1 else None


def _denoiser(modules: Iterable[AdapterModule]) -> str | None:
    """Return the kind of denoiser that most modules with typical names are of; None where there are none."""
    kinds = Counter(module.component for module in modules if is_typical(module.component, module.path))
    return max(DENOISERS, key=lambda kind: kinds[kind]) if any(kinds[kind] for kind in DENOISERS) else None


def _denoiser_of(family: Family) -> str | None:
    """Return the kind of denoiser that a family has; None where neither width nor markers say it."""
    parts = [part.lstrip("!^") for marker in family.markers for part in marker]
    if family.context_width is not None:
        return "unet"
    return next((kind for kind in DENOISERS if any(is_typical(kind, part) for part in parts)), None)


def context_width(modules: Iterable[AdapterModule]) -> int | None:
    """Return the width of the text features that the U-Net's cross-attention reads; None if not changed."""
    widths = Counter(
        inputs_of(module) for module in modules if module.component == "unet" and module.path.endswith(_CROSS)
    )
    del widths[None]
    return widths.most_common(1)[0][0] if widths else None


def _family_by_shape(modules: Sequence[AdapterModule], width: int | None) -> Family | None:
    if width is not None:
        return next((family for family in families.all_families() if family.context_width == width), None)
    if any(module.component in _MARKED for module in modules):
        return _family_by_markers(_paths(modules))
    return _family_by_text_encoder(modules)


_MARKED = {"transformer": "", "text_conditioner": "text_conditioner_"}
"""Components by whose names families are told apart -> what their paths begin with in markers."""


def _paths(modules: Iterable[AdapterModule]) -> str:
    """Return the modules' names and sizes as markers have them, one a line."""
    named = ((_MARKED[m.component] + m.path, m) for m in modules if m.component in _MARKED)
    return "\n".join(f"^{path}:{inputs_of(module)}>{module.outline.out}" for path, module in named)


def _family_by_markers(paths: str) -> Family | None:
    """Return the transformer family with the most specific marker found among the module names."""
    hits = [
        (max(map(_weight, found)), family)
        for family in families.all_families()
        if (found := _fitting(family.markers, paths))
    ]
    return max(hits, key=lambda hit: hit[0])[1] if hits else None


def _fitting(markers: Iterable[tuple[str, ...]], paths: str) -> list[tuple[str, ...]]:
    """Return the markers of which every part is among the paths, or absent where that is what it says."""
    return [
        marker
        for marker in markers
        if all((part[1:] not in paths) if part.startswith("!") else (part in paths) for part in marker)
    ]


def _weight(marker: tuple[str, ...]) -> tuple[int, int]:
    """Return how specific a marker is: its parts that must be there, then their length."""
    parts = [part for part in marker if not part.startswith("!")]
    return len(parts), sum(map(len, parts))


def _family_by_text_encoder(modules: Sequence[AdapterModule]) -> Family | None:
    """Return the only family whose text encoders have the widths seen; None when several share them."""
    seen = {
        (module.component, inputs_of(module))
        for module in modules
        if module.path.endswith(("_q_proj", "_k_proj", "_v_proj", "_mlp_fc1")) and inputs_of(module)
    }
    if not seen or (len(seen) == 1 and any(module.stem.startswith(FIRST_OF_SEVERAL) for module in modules)):
        return None
    fits = [family for family in families.all_families() if seen <= set(family.text_widths)]
    exact = [family for family in fits if len(family.text_widths) == len(seen)]
    for found in (exact, fits):
        if len(found) == 1:
            return found[0]
    return None


def claimed_families(stated: Training, metadata: Mapping[str, str]) -> tuple[Family, ...]:
    """Return the families that the metadata name: by architecture, by base version, then by the `ss_v2` flag.

    They are several where one name is that of several.
    """
    named = _longest(
        (stated.architecture.lower(), family.architectures, family) for family in families.all_families()
    ) or _longest((stated.base_version, family.base_versions, family) for family in families.all_families())
    return named or ((families.get("sd2"),) if metadata.get("ss_v2") == "True" else ())


def _longest(stated: Iterable[tuple[str, tuple[str, ...], Family]]) -> tuple[Family, ...]:
    """Return the families of which the longest beginning fits what is stated: XL's refiner begins as XL does."""
    fits = [(len(start), family) for said, starts, family in stated for start in starts if said.startswith(start)]
    longest = max((length for length, _ in fits), default=0)
    return tuple(dict.fromkeys(family for length, family in fits if length == longest))
