"""Lets a trainer's own code make a LoRA and merge it: `write_lora.py SOURCE FAMILY KIND WEIGHTS SETTINGS FOLDER`.

SOURCE is a checkout of musubi-tuner or sd-scripts, WEIGHTS a transformer's file under the names of its original code,
SETTINGS what its class is made with, as JSON. FOLDER gets `lora.safetensors` and `merged.safetensors`: the program's
own file, and the weights that the program itself makes with it.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

NETWORKS = {
    "flux": "lora_flux",
    "flux2_klein": "lora_flux_2",
    "z_image": "lora_zimage",
    "krea2": "lora_krea2",
    "qwen_image": "lora_qwen_image",
    "anima": "lora_anima",
}


def main() -> None:
    """Write both files."""
    source, family, kind, weights, settings, folder = sys.argv[1:]
    is_musubi = Path(source, "src", "musubi_tuner").is_dir()
    sys.path.insert(0, str(Path(source, "src") if is_musubi else Path(source)))
    place = "musubi_tuner." if is_musubi else ""
    networks = importlib.import_module(f"{place}networks.{NETWORKS[family] if kind == 'lora' else kind}")
    module, name = CLASSES[family if is_musubi else f"{family} of sd-scripts"]
    code, given = importlib.import_module(f"{place}{module}"), json.loads(settings)

    def model() -> torch.nn.Module:
        made = _made(code, name, given)
        missing, unknown = made.load_state_dict(load_file(weights), strict=False)
        assert not unknown and not {*missing} & {*dict(made.named_parameters())}, (unknown, missing)
        return made

    trained, file = model(), Path(folder, "lora.safetensors")
    make = networks.create_arch_network if is_musubi else networks.create_network
    network = make(1.0, 4, 2.0, None, [], trained, **_OPTIONS.get(family, {}))
    network.apply_to([], trained, False, True)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    network.save_weights(str(file), torch.float32, None)
    merged, found = model(), load_file(file)
    _merge(networks, found, file, merged, is_musubi)
    save_file(
        {key: value.contiguous() for key, value in merged.state_dict().items()}, Path(folder, "merged.safetensors")
    )


CLASSES = {
    "flux": ("flux.flux_models", "Flux"),
    "flux of sd-scripts": ("library.flux_models", "Flux"),
    "flux2_klein": ("flux_2.flux2_models", "Flux2"),
    "z_image": ("zimage.zimage_model", "ZImageTransformer2DModel"),
    "krea2": ("krea2.krea2_mmdit", "SingleStreamDiT"),
    "qwen_image": ("qwen_image.qwen_image_model", "QwenImageTransformer2DModel"),
    "anima of sd-scripts": ("library.anima_models", "Anima"),
}
_PARAMETERS = {"Flux": "FluxParams", "Flux2": "Flux2Params", "SingleStreamDiT": "SingleMMDiTConfig"}
"""Classes that take their settings as one."""
_OPTIONS = {"anima": {"train_llm_adapter": "True"}}


def _made(code: Any, name: str, given: Mapping[str, Any]) -> torch.nn.Module:
    """Return a model of the program's; its own Anima has a text conditioner of the true size alone."""
    made = getattr(code, name)
    if name in _PARAMETERS:
        return made(getattr(code, _PARAMETERS[name])(**given))
    if "llm_adapter" not in given:
        return made(**given)
    whole, adapter = code.LLMAdapter, given["llm_adapter"]
    code.LLMAdapter = lambda **_: whole(**adapter)
    try:
        return made(**{key: value for key, value in given.items() if key != "llm_adapter"})
    finally:
        code.LLMAdapter = whole


def _merge(networks: Any, found: dict[str, torch.Tensor], file: Path, model: torch.nn.Module, is_musubi: bool) -> None:
    if is_musubi:
        again = networks.create_arch_network_from_weights(1.0, found, unet=model, for_inference=True)
    else:
        again, found = networks.create_network_from_weights(1.0, str(file), None, [], model, for_inference=True)
    again.merge_to([], model, found, torch.float32, torch.device("cpu"))


if __name__ == "__main__":
    main()
