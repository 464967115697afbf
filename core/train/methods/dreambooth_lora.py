"""DreamBooth-LoRA: low-rank changes of attention, transformers or all layers, kept by the PEFT library.

Ruiz et al. 2023 (arXiv 2208.12242) with LoRA (arXiv 2106.09685), DoRA (2402.09353), LoHa (2108.06098) and LoKr.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ... import families
from ...adapter import LoraCard, LoraFactors, LoraPair, write_lora
from ...adapter.change.weights import read_weight
from ...errors import Setting, UsageError
from ...model.diffusion.denoiser import TrainableDenoiser
from ..plan import TrainPlan

_TEXT_LAYERS = {"attention": r"self_attn\.(q|k|v|out)_proj"}
_TEXT_LAYERS["transformer"] = _TEXT_LAYERS["all"] = rf"{_TEXT_LAYERS['attention']}|mlp\.fc[12]"
_ADAPTER = "default"


class DreamBoothLora:
    """PEFT layers in the place of the base's, which they wrap."""

    def __init__(self, denoiser: TrainableDenoiser, plan: TrainPlan) -> None:
        self._plan = plan
        self.trains_text = plan.train_text_encoder
        self._layers: dict[tuple[str, str], Any] = {}
        pipeline = families.get(denoiser.family).pipeline
        assert pipeline is not None, "only bases of families that audits run on are loaded"
        self._attach(pipeline.denoiser, denoiser.components[pipeline.denoiser], pipeline.targets.layers(plan.targets))
        if plan.train_text_encoder:
            for name, encoder in denoiser.components.items():
                if name.startswith("text_encoder"):
                    self._attach(name, encoder, _TEXT_LAYERS[plan.targets])
        self.parameters: Mapping[str, nn.Parameter] = {
            f"{component}.{module}.{name}": parameter
            for (component, module), layer in self._layers.items()
            for name, parameter in layer.named_parameters()
            if parameter.requires_grad
        }
        for parameter in self.parameters.values():
            # The layer that it stands beside may wait in main memory at this moment.
            parameter.data = parameter.data.to(denoiser.device, torch.float32)

    def _attach(self, component: str, model: nn.Module, layers: str) -> None:
        peft = _peft()
        pattern = re.compile(rf"(.*\.)?({layers})")
        names = [n for n, m in model.named_modules() if pattern.fullmatch(n) and isinstance(m, nn.Linear | nn.Conv2d)]
        if not names:
            said = f"The base's {component} has none of the layers of the targets {self._plan.targets}."
            raise UsageError(said, Setting("targets"))
        # The library draws its first factors from the global generator: it is lent one, and gets its own back.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="TorchaoLoraLinear")  # cannot be merged, and is not
            torch.manual_seed(self._plan.seed)
            peft.inject_adapter_in_model(_config(peft, self._plan, names), model, _ADAPTER)
        self._layers.update({(component, name): model.get_submodule(name) for name in names})
        for layer in self._layers.values():
            layer.eval()  # in training mode LoHa and LoKr ask the global generator whether to drop out
        self._models = {**getattr(self, "_models", {}), component: model}

    @contextmanager
    def off(self) -> Iterator[None]:
        """Return a context in which every layer is the base's own."""
        self._enable(False)
        try:
            yield
        finally:
            self._enable(True)

    def _enable(self, on: bool) -> None:
        for layer in self._layers.values():
            layer.enable_adapters(on)

    def changes(self) -> Iterator[torch.Tensor]:
        """Return each layer's change of its weight, with gradients."""
        for layer in self._layers.values():
            if self._plan.algorithm == "dora":
                yield _dora_weight(layer) - read_weight(layer.get_base_layer()).float()
            else:
                yield layer.get_delta_weight(_ADAPTER)

    def write(self, path: Path, card: LoraCard) -> None:
        """Write the LoRA in float16, with the names that every loader of its family reads."""
        write_lora(path, list(self._factors()), card)

    def _factors(self) -> Iterator[LoraPair | LoraFactors]:
        alpha, rank = self._plan.scale, self._plan.rank
        for (component, module), layer in self._layers.items():
            if self._plan.algorithm == "lora":
                down, up = layer.lora_A[_ADAPTER].weight, layer.lora_B[_ADAPTER].weight
                yield LoraPair(component, module, down.detach().half(), up.detach().half(), alpha)
            else:
                factors = tuple((name, t.detach().half()) for name, t in _FACTORS[self._plan.algorithm](layer))
                yield LoraFactors(component, module, factors, alpha, rank)

    def detach(self) -> None:
        """Put the base's own layers back."""
        for (component, name), layer in self._layers.items():
            parent, _, child = name.rpartition(".")
            setattr(self._models[component].get_submodule(parent), child, layer.get_base_layer())
        self._layers.clear()
        for model in self._models.values():
            if hasattr(model, "peft_config"):
                del model.peft_config


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise UsageError("Training needs the package peft.", Setting("install", "peft")) from error
    return peft


def _config(peft: Any, plan: TrainPlan, names: list[str]) -> Any:
    """Return PEFT's configuration; every layer is named in full."""
    if plan.algorithm == "loha":
        return peft.LoHaConfig(r=plan.rank, alpha=plan.scale, target_modules=names)
    if plan.algorithm == "lokr":
        return peft.LoKrConfig(r=plan.rank, alpha=plan.scale, target_modules=names)
    dora = plan.algorithm == "dora"
    return peft.LoraConfig(r=plan.rank, lora_alpha=plan.scale, target_modules=names, use_dora=dora)


def _dora_factors(layer: Any) -> Iterator[tuple[str, torch.Tensor]]:
    yield "lora_down.weight", layer.lora_A[_ADAPTER].weight
    yield "lora_up.weight", layer.lora_B[_ADAPTER].weight
    magnitude = layer.lora_magnitude_vector[_ADAPTER].weight
    shape = (-1,) + (1,) * (layer.get_base_layer().weight.ndim - 1)
    yield "dora_scale", magnitude.reshape(shape)


def _loha_factors(layer: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for name in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"):
        yield name, getattr(layer, name)[_ADAPTER]


def _lokr_factors(layer: Any) -> Iterator[tuple[str, torch.Tensor]]:
    names = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")
    factors = {name: getattr(layer, name)[_ADAPTER] for name in names if _ADAPTER in getattr(layer, name)}
    if {"lokr_w1", "lokr_w2"} <= factors.keys():
        # LyCORIS does not scale two factors that are both whole; PEFT does.
        factors["lokr_w2"] = factors["lokr_w2"] * layer.scaling[_ADAPTER]
    yield from factors.items()


_FACTORS = {"dora": _dora_factors, "loha": _loha_factors, "lokr": _lokr_factors}


def _dora_weight(layer: Any) -> torch.Tensor:
    """Return the layer's weight under DoRA: the magnitude times the direction of base plus low-rank change."""
    weight = read_weight(layer.get_base_layer()).float() + layer.get_delta_weight(_ADAPTER)
    norm = weight.flatten(1).norm(dim=1)
    magnitude = layer.lora_magnitude_vector[_ADAPTER].weight.flatten()
    return weight * (magnitude / norm).reshape((-1,) + (1,) * (weight.ndim - 1))
