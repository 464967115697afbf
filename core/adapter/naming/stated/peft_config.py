"""Scales of PEFT adapters: alpha and rank-stabilisation live in a configuration, not in tensors."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ....errors import AdapterError
from ....text import inert
from ...algorithms import Algorithm, all_algorithms
from ...module import Scaling
from .metadata import MAX_JSON
from .peft_settings import require_understood

_LIMIT = 1024 * 1024
_MAX_PATTERNS = 2000
_MAX_RANK = 2**20
"""Characters of a configuration, patterns in one of its tables, and the rank that are believed: more than there are
layers in a large network, and a rank beyond the width of any."""
_WILD = frozenset("*+?[](){}|\\$^")


@dataclass(frozen=True)
class Pattern:
    """Modules that a configuration names, and the number it gives them."""

    name: str
    """The last parts of their dotted path."""
    whole: bool
    """Whether these must be the whole path."""
    number: float
    """Their alpha or rank."""


@dataclass(frozen=True)
class Patterns:
    """All patterns of one kind in a configuration."""

    each: "tuple[Pattern, ...]" = ()
    """In the order in which they are tried."""

    @cached_property
    def _places(self) -> "dict[tuple[str, bool], int]":
        """Name and whether it is whole -> where the first such pattern stands."""
        places = enumerate(self.each)
        return {(pattern.name, pattern.whole): place for place, pattern in reversed(list(places))}

    def number_of(self, module: str, default: float | None) -> float | None:
        """Return the number of the first pattern that fits the module with this dotted path, as PEFT does.

        Its endings are looked up: to try each pattern would take the product of thousands of both.
        """
        if not self.each:
            return default
        endings = [module, *(module[found.end() :] for found in re.finditer(r"\.", module))]
        asked = [(module, True), *((ending, False) for ending in endings)]
        places = [self._places[key] for key in asked if key in self._places]
        return self.each[min(places)].number if places else default


@dataclass(frozen=True)
class PeftConfig:
    """What of a PEFT configuration changes the meaning of the tensors."""

    alpha: float | None
    """Numerator of the scale for modules without a pattern of their own."""
    by_root: bool
    """Rank-stabilised: alpha / sqrt(rank)."""
    rank: int | None
    """Rank for modules whose factors do not show it."""
    alphas: Patterns = Patterns()
    """Modules with alphas of their own."""
    ranks: Patterns = Patterns()
    """Modules with ranks of their own."""
    dora: bool = False
    """Whether there are magnitudes besides the factors."""
    bias: bool = False
    """Whether every change has a bias of its own."""
    algorithms: frozenset[str] = frozenset()
    """What the tensors can be; empty where that is not said."""
    whole: str = ""
    """The setting by which tensors besides the factors were trained, which must be in the file; "" without one."""
    whole_biases: bool = False
    """Whether the biases of the changed layers were trained, where they have any."""
    base_model: str = ""
    """The base that it names, inert; "" without one."""
    root_in_alpha: bool = False
    """Whether alphas in the file are those of alpha / rank all the same."""
    warnings: tuple[str, ...] = ()
    """What to know about the configuration before trusting a score."""

    def scaling(self, module: str) -> Scaling:
        """Return how the module is scaled; `module` is its dotted path inside the component."""
        alpha, rank = self.alphas.number_of(module, self.alpha), self.ranks.number_of(module, self.rank)
        by_root, whole = self.by_root, self.whole_biases
        number = None if rank is None else int(rank)
        return Scaling(alpha, by_root, number, self.dora, self.bias, self.algorithms, whole, self.root_in_alpha)


NO_CONFIG = PeftConfig(None, False, None)
"""For files whose alphas are tensors, or unknown."""
RANK_STABILISED = PeftConfig(None, True, None, root_in_alpha=True)
"""For LyCORIS files that say so, for the algorithms whose alpha does not."""


def from_metadata(metadata: Mapping[str, str]) -> Mapping[str, PeftConfig]:
    """Return the configuration per component that diffusers keeps in `lora_adapter_metadata`; "" stands for all.

    `save_lora_weights` puts the component before every field, `save_lora_adapter` of a single model does not. Raises
    AdapterError for what cannot be read: the alphas are in there.
    """
    text = metadata.get("lora_adapter_metadata")
    if text is None:
        return {}
    if len(text) > MAX_JSON:
        raise AdapterError(
            f"lora_adapter_metadata has {len(text)} characters; alpha patterns that long are not believed"
        )
    split: dict[str, dict[str, object]] = {}
    for key, value in _object("lora_adapter_metadata", text).items():
        component, _, field = key.rpartition(".")
        split.setdefault(component, {})[field] = value
    return {component: from_fields(fields) for component, fields in split.items()}


def from_text(text: str) -> PeftConfig:
    """Return the configuration in an `adapter_config.json`; raises AdapterError unless it is a sound one."""
    return from_fields(_object("adapter_config.json", text[:_LIMIT]))


def _object(what: str, text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{what} is not valid JSON: {inert(str(error), 80)}") from error
    if not isinstance(found, dict):
        raise AdapterError(f"{what} is not a JSON object")
    return found


def _base_model(fields: Mapping[str, object]) -> str:
    named = fields.get("base_model_name_or_path")
    return inert(named).strip() if isinstance(named, str) else ""


def from_fields(fields: Mapping[str, object]) -> PeftConfig:
    """Return the configuration with these fields; raises AdapterError for methods that are no LoRA."""
    made = _made_by(fields.get("peft_type", "LORA"))
    require_understood(fields)
    whole, whole_biases = _trained_whole(fields)
    config = PeftConfig(
        alpha=None,
        by_root=_flag(fields, "use_rslora"),
        rank=None,
        dora=_flag(fields, "use_dora"),
        bias=_flag(fields, "lora_bias"),
        algorithms=frozenset(algorithm.name for algorithm in made if "peft_type" in fields),
        whole=whole,
        whole_biases=whole_biases,
        base_model=_base_model(fields),
    )
    without_alpha = tuple(filter(None, (_without_alpha(algorithm, fields) for algorithm in made)))
    if without_alpha:
        return replace(config, warnings=without_alpha)
    alpha = fields.get("lora_alpha", fields.get("alpha"))
    alphas = tuple(Pattern(*key, _alpha(key[0], value)) for key, value in _patterns(fields, "alpha_pattern"))
    shown = all(algorithm.low_rank for algorithm in made)  # by shapes, which need not be told
    ranks = () if shown else _patterns(fields, "rank_pattern")
    rank = _rank("r", fields.get("r"))
    return replace(
        config,
        alpha=None if alpha is None else _alpha("lora_alpha", alpha),
        rank=None if fields.get("rank_pattern") and shown else rank,  # then modules have ranks of their own
        alphas=Patterns(alphas),
        ranks=Patterns(tuple(Pattern(*key, _rank(key[0], value) or 0) for key, value in ranks)),
    )


def _made_by(method: object) -> list[Algorithm]:
    """Return the algorithms that the tensors of one of PEFT's methods make; raises AdapterError for unknown ones."""
    by_type: dict[str, list[Algorithm]] = {}
    for algorithm in all_algorithms():
        if algorithm.peft_type is not None:
            by_type.setdefault(algorithm.peft_type, []).append(algorithm)
    if not isinstance(method, str) or method not in by_type:
        raise AdapterError(f"PEFT method {str(method)[:30]!r} is not supported yet; {', '.join(by_type)} are")
    return by_type[method]


def _without_alpha(algorithm: Algorithm, fields: Mapping[str, object]) -> str:
    """Return what to know of a configuration from when PEFT trained without alpha; "" where it is of another time."""
    release, setting = algorithm.alpha_since or ("", "")
    if setting in fields or not setting:
        return ""
    return (
        f"written by PEFT before {release}, which trained {algorithm.name} without its alpha: read without it; later "
        "PEFT applies it"
    )


def _trained_whole(fields: Mapping[str, object]) -> tuple[str, bool]:
    """Return the setting whose tensors the file must hold, and whether the changed layers' biases were trained."""
    bias = fields.get("bias") or "none"
    if bias not in ("none", "all", "lora_only"):
        raise AdapterError(f"adapter configuration: bias is {inert(str(bias), 20)!r}; none, all or lora_only is needed")
    if fields.get("modules_to_save"):
        return "modules_to_save", bias != "none"
    return "bias" if bias == "all" else "", bias != "none"


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if value is not None and not isinstance(value, bool):
        raise AdapterError(f"adapter configuration: {name} is {str(value)[:20]!r}, true or false is needed")
    return bool(value)


def _rank(name: str, value: object) -> int | None:
    """Return the rank, or None where there is none; raises AdapterError for what cannot be one."""
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= _MAX_RANK:
        raise AdapterError(
            f"adapter configuration: {name[:80]} is {str(value)[:20]!r}, a positive whole number is needed"
        )
    return value


def _alpha(name: str, value: object) -> float:
    alpha = _number(value)
    if alpha is None:
        raise AdapterError(f"adapter configuration: {name[:80]} is {str(value)[:20]!r}, a number is needed")
    return alpha


def _patterns(fields: Mapping[str, object], field: str) -> "list[tuple[tuple[str, bool], object]]":
    """Return ((name, whether it is the whole path), value) of every pattern.

    Raises AdapterError for regular expressions: they are not run, since a stranger wrote them.
    """
    table = fields.get(field)
    if not table:
        return []
    if not isinstance(table, dict):
        raise AdapterError(f"adapter configuration: {field} is {str(table)[:20]!r}, a table of modules is needed")
    if len(table) > _MAX_PATTERNS:
        raise AdapterError(f"{field}: {len(table)} patterns; more than {_MAX_PATTERNS} are not believed")
    found = []
    for pattern, value in table.items():
        plain = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
        if _WILD & set(plain):
            raise AdapterError(
                f"{field} holds the regular expression {pattern[:80]!r}, which is not run: save the LoRA with the full "
                "names of the modules as patterns"
            )
        found.append(((plain.removeprefix("text_model."), pattern.startswith("^")), value))
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value) if abs(value) < 1e30 else None
    return number if number == number else None
