"""Every setting of PEFT's LoRA, LoHa and LoKr, and what it means for the tensors beside it."""

from collections.abc import Mapping

from ....errors import AdapterError
from ....text import inert

_HONOURED = frozenset(
    {
        "peft_type",
        "r",
        "lora_alpha",
        "alpha",
        "rank_pattern",
        "alpha_pattern",
        "use_rslora",
        "use_dora",
        "lora_bias",
        "bias",
        "modules_to_save",
        "init_lora_weights",
    }
)
"""What `peft_config` reads."""
_HARMLESS = frozenset(
    {
        # where it comes from, and what it was meant for
        "task_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        # which layers were trained: the tensors say it
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
        # the form of the factors, which their shapes say
        "use_effective_conv2d",
        "decompose_both",
        "decompose_factor",
        # of training only
        "lora_dropout",
        "rank_dropout",
        "rank_dropout_scale",
        "module_dropout",
        "velora_config",
        "runtime_config",
        # of a start that `init_lora_weights` names, or of LoHa and LoKr, whose starts leave the base as it is
        "init_weights",
        "loftq_config",
        "eva_config",
        "corda_config",
        "lora_ga_config",
        # without a meaning where another setting, which is refused, is not set
        "megatron_core",
        "qalora_group_size",
        # of layers with transposed weights, such as GPT-2's: PEFT turns it off for all layers of diffusion models
        "fan_in_fan_out",
    }
)
"""What cannot change the weights that the tensors make."""
_REFUSED = {
    "layer_replication": "the base has layers more than once",
    "alora_invocation_tokens": "it acts only after certain tokens",
    "alora_invocation_string": "it acts only after certain words",
    "use_qalora": "inputs are pooled before the factors",
    "use_bdlora": "a factor is made of blocks",
    "kasa_config": "the base's own weights are cut down first",
    "monteclora_config": "the factors are drawn at random",
    "arrow_config": "a router chooses among several adapters",
    "megatron_config": "layers are spread over several devices",
    "target_parameters": "parameters are changed that are no layer's weight",
    "trainable_token_indices": "single tokens were trained beside the layers",
    "ensure_weight_tying": "layers share their factors",
}
"""What makes another change of the same tensors -> how."""
_PLAIN_STARTS = ("gaussian", "orthogonal", "eva", "mica")
"""Starts of PEFT's LoRA that leave the base as it is. The others subtract theirs from it."""


def require_understood(fields: Mapping[str, object]) -> None:
    """Raise AdapterError for settings under which the same tensors are another change, or may be for all we know.

    A setting counts only where it is set: PEFT writes all of them, most as null, false or an empty table.
    """
    for setting, value in fields.items():
        if not value or setting in _HONOURED or setting in _HARMLESS:
            continue
        meaning = _REFUSED.get(setting)
        if meaning is None:
            shown = inert(str(value), 40)
            raise AdapterError(f"the adapter configuration sets {inert(setting, 60)} to {shown!r}, which is not known")
        raise AdapterError(f"{setting} is set: {meaning}, which is not supported yet")
    _require_plain_start(fields.get("init_lora_weights"))


def _require_plain_start(start: object) -> None:
    """Raise AdapterError for LoRAs that were trained on a base whose weights PEFT changed before."""
    if isinstance(start, str) and start.lower() not in _PLAIN_STARTS:
        raise AdapterError(
            f"trained from {inert(start, 30)!r}, which changes the base's own weights or is not known; convert it to a "
            "plain LoRA (PEFT: save_pretrained with path_initial_model_for_weight_conversion)"
        )
