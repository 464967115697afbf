"""Files that hold weights but no LoRA: recognised by their names, and named in the refusal."""

from collections.abc import Collection

from ...errors import AdapterError

_KINDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a ControlNet-LLLite", ("lllite_",), "load it as a ControlNet"),
    (
        "an IP-Adapter",
        ("ip_adapter.", "image_proj.", "ip-adapter", "image_proj_model."),
        "load it as an IP-Adapter",
    ),
    (
        "a ControlNet",
        ("control_model.", "controlnet_", "controlnet_cond_embedding.", "input_hint_block."),
        "",
    ),
    ("a T2I-Adapter", ("adapter.body.", "body.0."), ""),
    ("a whole checkpoint", ("model.diffusion_model.", "first_stage_model.", "cond_stage_model."), ""),
    ("a whole checkpoint", ("conditioner.embedders.", "model_ema."), ""),
    (
        "a VAE",
        ("encoder.down_blocks.", "decoder.up_blocks.", "encoder.down.", "decoder.up.", "quant_conv."),
        "",
    ),
)
_EMBEDDINGS = frozenset({"emb_params", "clip_l", "clip_g", "string_to_param.*", "t5xxl"})
_WHOLE = "audit the LoRA file itself, or pass this file as the base"


def refuse_other_kinds(names: Collection[str], usable: int) -> None:
    """Raise AdapterError that names what a file without (or with hardly any) LoRA modules is.

    `names` are all tensor names and `usable` counts those that belong to a module. Does nothing for files
    that are mostly LoRA, whatever else is bundled with them.
    """
    if usable * 2 > len(names):
        return
    if not names:
        raise AdapterError("the file has no tensors, so it changes nothing")
    _refuse_embedding(names)
    for kind, beginnings, advice in _KINDS:
        hits = sum(name.startswith(beginnings) for name in names)
        if hits and (hits * 4 >= len(names) or usable == 0):
            raise AdapterError(f"{kind}, not a LoRA: {advice or _WHOLE}")
    if usable == 0:
        _refuse_plain_weights(names)
        raise AdapterError("no tensor name belongs to a known LoRA format, so nothing would be applied")


def _refuse_embedding(names: Collection[str]) -> None:
    parts = {name.rpartition("/")[2] for name in names}
    if parts & _EMBEDDINGS or (len(names) == 1 and "." not in next(iter(names))):
        raise AdapterError("a textual inversion (an embedding), not a LoRA: it changes no weight")


def _refuse_plain_weights(names: Collection[str]) -> None:
    plain = sum(name.endswith((".weight", ".bias")) for name in names)
    unet = any(name.startswith(("down_blocks.", "up_blocks.", "input_blocks.", "unet.")) for name in names)
    if unet and plain * 2 > len(names) and not any("lora" in name.lower() for name in names):
        raise AdapterError(f"a whole U-Net, not a LoRA: {_WHOLE}")
