"""Scales of PEFT adapters: alpha and rank-stabilisation live in a configuration, not in tensors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import AdapterError
from .metadata import MAX_JSON, parsed
from .module import Scaling

_KNOWN = frozenset({"LORA", "LOHA", "LOKR"})
_LIMIT = 1024 * 1024
_MAX_PATTERNS = 2000
_MAX_RANK = 2**20
_BASE_CHANGERS = ("pissa", "olora", "corda", "loftq", "lora_ga")
_WILD = frozenset("*+?[](){}|\\$^")
_OLD_LOKR = "written by PEFT before 0.14, which trained LoKr without its alpha: read without it; later PEFT applies it"


@dataclass(frozen=True)
class PeftConfig:
    """What of a PEFT configuration changes the meaning of the tensors."""

    alpha: float | None
    """Numerator of the scale for modules without a pattern of their own."""
    by_root: bool
    """Rank-stabilised: alpha / sqrt(rank)."""
    rank: int | None
    """Rank for modules whose factors do not show it."""
    patterns: tuple[tuple[str, float], ...]
    """Endings of module names with alphas of their own."""
    warnings: tuple[str, ...] = ()
    """What in the configuration could not be followed."""

    def scaling(self, path: str) -> Scaling:
        """Return how the module with this flattened path is scaled."""
        for pattern, alpha in self.patterns:
            if path == pattern or path.endswith(f"_{pattern}"):
                return Scaling(alpha, self.by_root, self.rank)
        return Scaling(self.alpha, self.by_root, self.rank)


NO_CONFIG = PeftConfig(None, False, None, ())
"""For files whose alphas are tensors, or unknown."""
RANK_STABILISED = PeftConfig(None, True, None, ())
"""For LyCORIS files that say so, for the algorithms whose alpha does not."""


def from_metadata(metadata: Mapping[str, str]) -> Mapping[str, PeftConfig]:
    """Return the configuration per component that diffusers keeps in `lora_adapter_metadata`."""
    length = len(metadata.get("lora_adapter_metadata", ""))
    if length > MAX_JSON:
        raise AdapterError(f"lora_adapter_metadata has {length} characters; alpha patterns that long are not believed")
    table = parsed(metadata, "lora_adapter_metadata")
    if not isinstance(table, dict):
        return {}
    split: dict[str, dict[str, object]] = {}
    for key, value in table.items():
        component, _, field = key.partition(".")
        split.setdefault(component, {})[field] = value
    return {component: from_fields(fields) for component, fields in split.items()}


def from_text(text: str) -> PeftConfig:
    """Return the configuration in an `adapter_config.json`; raises AdapterError unless it is a sound one."""
    try:
        fields = json.loads(text[:_LIMIT])
    except (ValueError, RecursionError) as error:
        raise AdapterError("adapter_config.json is not valid JSON; get the folder again") from error
    if not isinstance(fields, dict):
        raise AdapterError("adapter_config.json is not a JSON object; get the folder again")
    return from_fields(fields)


def from_fields(fields: Mapping[str, object]) -> PeftConfig:
    """Return the configuration with these fields; raises AdapterError for methods that are no LoRA."""
    method = fields.get("peft_type", "LORA")
    if not isinstance(method, str) or method not in _KNOWN:
        raise AdapterError(f"PEFT method {str(method)[:30]!r} is not supported yet; LoRA, LoHa and LoKr are")
    if method == "LOKR" and "rank_dropout_scale" not in fields:
        return PeftConfig(None, False, None, (), (_OLD_LOKR,))
    _require_plain_start(fields.get("init_lora_weights"))
    alpha = _number(fields.get("lora_alpha", fields.get("alpha")))
    patterns, warnings = _patterns(fields.get("alpha_pattern"))
    return PeftConfig(alpha, fields.get("use_rslora") is True, _rank(fields.get("r")), patterns, warnings)


def _require_plain_start(start: object) -> None:
    """Raise AdapterError for LoRAs that were trained on a base whose weights PEFT changes before it adds them."""
    if isinstance(start, str) and start.lower().startswith(_BASE_CHANGERS):
        raise AdapterError(
            f"trained from {start[:30]!r}, which changes the base's own weights; convert it to a plain LoRA "
            "(PEFT: save_pretrained with path_initial_model_for_weight_conversion)"
        )


def _rank(value: object) -> int | None:
    """Return the rank, or None where there is none; raises AdapterError for what cannot be one."""
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= _MAX_RANK:
        raise AdapterError(f"adapter configuration: r is {str(value)[:20]!r}, a positive whole number is needed")
    return value


def _patterns(value: object) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...]]:
    """Return plain patterns, flattened; regular expressions are not run, since a stranger wrote them."""
    if not isinstance(value, dict):
        return (), ()
    if len(value) > _MAX_PATTERNS:
        raise AdapterError(f"{len(value)} alpha patterns; more than {_MAX_PATTERNS} are not believed")
    found: list[tuple[str, float]] = []
    skipped = 0
    for pattern, alpha in value.items():
        plain = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
        number = _number(alpha)
        if number is None or _WILD & set(plain):
            skipped += 1
        else:
            found.append((plain.replace(".", "_").removeprefix("text_model_"), number))
    note = f"{skipped} alpha patterns are regular expressions and were not followed"
    return tuple(found), (note,) if skipped else ()


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value) if abs(value) < 1e30 else None
    return number if number == number else None
