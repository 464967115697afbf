"""How names of tensors begin, by which component and dialect are told."""

from collections.abc import Iterator

Prefix = tuple[str, str, str]


def _dotted_too(*flat: Prefix) -> Iterator[Prefix]:
    """Yield prefixes as kohya writes them, and with a dot at their end, as OneTrainer has them in its backups."""
    for prefix, component, dialect in flat:
        yield prefix, component, dialect
        yield f"{prefix.removesuffix('_')}.", component, dialect


PREFIXES: tuple[Prefix, ...] = (
    ("text_encoders.clip_l.transformer.", "text_encoder", "comfy"),
    ("text_encoders.clip_g.transformer.", "text_encoder_2", "comfy"),
    ("text_encoders.clip_h.transformer.", "text_encoder", "comfy"),
    ("text_encoders.t5xxl.transformer.", "text_encoder_3", "comfy"),
    ("clip_l.transformer.", "text_encoder", "comfy"),
    ("clip_g.transformer.", "text_encoder_2", "comfy"),
    ("t5xxl.transformer.", "text_encoder_3", "comfy"),
    ("clip_l.", "text_encoder", "omi"),
    ("clip_g.", "text_encoder_2", "omi"),
    ("t5.", "text_encoder_3", "omi"),
    ("model.diffusion_model.", "unet", "comfy"),
    ("diffusion_model.", "unet", "comfy"),
    ("net.", "transformer", "omi"),
    ("conditional_transformer.", "transformer", "diffusers"),
    ("text_conditioner.", "text_conditioner", "diffusers"),
    ("text_encoder_3.", "text_encoder_3", "diffusers"),
    ("text_encoder_2.", "text_encoder_2", "diffusers"),
    ("text_encoder_1.", "text_encoder", "diffusers"),
    ("text_encoder.", "text_encoder", "diffusers"),
    ("te1.", "text_encoder", "diffusers"),
    ("te2.", "text_encoder_2", "diffusers"),
    ("te3.", "text_encoder_3", "diffusers"),
    ("te.", "text_encoder", "diffusers"),
    ("transformer.", "transformer", "diffusers"),
    ("unet.", "unet", "diffusers"),
    *_dotted_too(
        ("lora_unet_", "unet", "kohya"),
        ("oft_unet_", "unet", "kohya"),
        ("lora_transformer_", "transformer", "kohya"),
        ("lora_te1_", "text_encoder", "kohya"),
        ("lora_te2_", "text_encoder_2", "kohya"),
        ("lora_te3_", "text_encoder_3", "kohya"),
        ("lora_te_", "text_encoder", "kohya"),
    ),
    ("lycoris_unet_", "unet", "lycoris"),
    ("lycoris_te_", "text_encoder", "lycoris"),
    ("lycoris_te1_", "text_encoder", "lycoris"),
    ("lycoris_te2_", "text_encoder_2", "lycoris"),
    ("lycoris_", "", "lycoris"),
    ("lycoris.", "", "lycoris"),
)
"""Beginning of a tensor name, component and dialect. "unet" may turn into "transformer" by what follows."""
FIRST_OF_SEVERAL = ("lora_te1_", "lora_te1.", "lycoris_te1_", "te1.", "text_encoder_1.")
"""What the first text encoder is called where there are more: alone, it is that of several families."""
OTHER_ENCODER = r"text_encoders\.[a-z0-9_]+\.transformer\."
"""How ComfyUI begins the names of a text encoder that is neither CLIP nor T5: of such there is one, such as a Qwen3."""
UNET = (
    "down_blocks_",
    "up_blocks_",
    "mid_block_",
    "conv_in",
    "conv_out",
    "conv_norm_out",
    "time_embedding_",
    "add_embedding_",
    "class_embedding_",
)
"""Beginnings of paths in a U-Net."""
TEXT = ("text_model_", "encoder_layers_", "embeddings_token_", "embeddings_position_", "final_layer_norm")
"""The same in a text encoder."""
TRANSFORMER = (
    "adaLN_modulation_",
    "all_final_layer_",
    "all_x_embedder_",
    "cap_embedder_",
    "content_mode_blocks_",
    "context_refiner_",
    "double_stream_modulation_",
    "final_layer_",
    "guidance_in_",
    "img_in",
    "language_model_",
    "last_linear",
    "llm_adapter_",
    "mode_blocks_",
    "modulation_1",
    "noise_refiner_",
    "single_stream_modulation_",
    "t_embedder_",
    "text_fusion_",
    "time_guidance_embed_",
    "time_in_",
    "time_mod_proj",
    "time_text_embed_",
    "tmlp_",
    "tproj_",
    "txt_in",
    "txt_mode_blocks_",
    "txtfusion_",
    "txtmlp_",
    "vector_in_",
    "double_blocks_",
    "single_blocks_",
    "joint_blocks_",
    "transformer_blocks_",
    "single_transformer_blocks_",
    "context_embedder",
    "x_embedder",
    "distilled_guidance_layer_",
    "double_stream_blocks_",
    "single_stream_blocks_",
    "layers_",
    "blocks_",
)
"""The same in a transformer, in diffusers' names and those of the original codes."""
WHOLE_PATHS = ("first",)
"""Whole paths of layers of a transformer whose beginnings other things have too: Krea 2's first layer."""
IN_TRANSFORMER = "llm_adapter_"
"""How names begin of what reads prompts but ComfyUI and trainers count to the transformer: Anima's conditioner."""
