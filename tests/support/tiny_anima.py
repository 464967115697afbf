"""A random Anima in small, and diffusers' modular pipeline of it, asked as its other pipelines are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tiny_qwen import evaluating, flow_scheduler, known_class, qwen, qwen_autoencoder, qwen_tokenizer, t5_tokenizer


def anima_parts(seed: int = 0) -> SimpleNamespace:
    """Return the untrained parts of an Anima; latents are 4x8x8."""
    transformer_class, conditioner_class = (
        known_class(name) for name in ("CosmosTransformer3DModel", "AnimaTextConditioner")
    )
    torch.manual_seed(seed)
    tokenizer, t5 = qwen_tokenizer(), t5_tokenizer()
    transformer = transformer_class(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=24,
        num_layers=2,
        text_embed_dim=32,
        adaln_lora_dim=8,
        rope_scale=(1.0, 4.0, 4.0),
        extra_pos_embed_type=None,
    )
    conditioner = conditioner_class(
        source_dim=32, target_dim=32, model_dim=32, num_layers=2, num_attention_heads=2, target_vocab_size=len(t5) + 1
    )
    for weight in (*transformer.parameters(), *conditioner.parameters()):
        if weight.ndim == 1:  # norms are 1 and biases 0 else
            weight.data.normal_(1.0, 0.3)
    return evaluating(
        transformer=transformer,
        text_conditioner=conditioner,
        vae=qwen_autoencoder(),
        text_encoder=qwen("Qwen3Model", len(tokenizer), 3),
        tokenizer=tokenizer,
        t5_tokenizer=t5,
        scheduler=flow_scheduler(shift=3.0),
        index={},
    )


class AnimaPipeline:
    """diffusers' modular pipeline of such parts, with the words of its other pipelines."""

    def __init__(self, **parts: Any) -> None:
        import diffusers

        self._modular = diffusers.AnimaAutoBlocks().init_pipeline()
        self._modular.update_components(**parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._modular, name)

    def __call__(self, guidance_scale: float = 1.0, **inputs: Any) -> SimpleNamespace:
        """Return the images of a prompt."""
        from diffusers import ClassifierFreeGuidance

        self._modular.update_components(guider=ClassifierFreeGuidance(guidance_scale=guidance_scale))
        return SimpleNamespace(images=self._modular(**inputs, output="images"))

    def context(self, prompt: str) -> torch.Tensor:
        """Return what the transformer is told of a prompt (1, 512, D)."""
        from diffusers.modular_pipelines.anima.before_denoise import AnimaTextConditioningStep
        from diffusers.modular_pipelines.anima.encoders import AnimaTextEncoderStep

        cpu = torch.device("cpu")
        with torch.no_grad():
            read = AnimaTextEncoderStep.encode_prompt(self._modular, [prompt], device=cpu, dtype=torch.float32)
            told = {name: value for name, value in read.items() if not name.startswith("negative_")}
            types = {"conditioning_dtype": torch.float32, "output_dtype": torch.float32}
            return AnimaTextConditioningStep._condition_prompt_embeds(self._modular, **told, device=cpu, **types)

    def save_pretrained(self, folder: Path) -> None:
        """Write it as the hub has it."""
        self._modular.save_pretrained(str(folder), overwrite_modular_index=True)
