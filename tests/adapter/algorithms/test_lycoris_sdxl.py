"""Claim: a LyCORIS file of Stable Diffusion XL, in its original code's names, gives what the writing network gave."""

import pytest
import torch
from owf.core.adapter import applied, read_adapter
from safetensors.torch import load_file, save_file
from tiny_sdxl import POOLED, WIDTHS, tiny_xl_parts

ALGORITHMS = {
    "locon of convolutions": ("locon", {"conv_lora_dim": 2, "conv_alpha": 3.0}),
    "locon tucker": ("locon", {"use_tucker": True}),
    "loha": ("loha", {}),
    "lokr": ("lokr", {"factor": 4, "lora_dim": 2, "conv_lora_dim": 2}),
    "dora by output": ("locon", {"weight_decompose": True}),
    "dora by input": ("locon", {"weight_decompose": True, "wd_on_out": False}),
    "diag-oft": ("diag-oft", {}),
}


class Answers:
    """The live parts of a tiny Stable Diffusion XL and what they answer: states of both encoders, and predictions."""

    def __init__(self):
        parts = tiny_xl_parts()
        self.components = {name: getattr(parts, name) for name in ("unet", "text_encoder", "text_encoder_2")}
        for part in self.components.values():
            part.eval().requires_grad_(False)
        draw = torch.Generator().manual_seed(7)
        self._ids = torch.randint(0, 1000, (1, 8), generator=draw)
        self._x, self._given = torch.randn(1, 4, 8, 8, generator=draw), torch.randn(1, 8, sum(WIDTHS), generator=draw)
        self._pooled = torch.randn(1, POOLED, generator=draw)

    def outputs(self):
        with torch.no_grad():
            encoders = (self.components["text_encoder"], self.components["text_encoder_2"])
            first, second = (encoder(self._ids, output_hidden_states=True) for encoder in encoders)
            states = first.hidden_states[-2], second.hidden_states[-2]
            more = {"text_embeds": self._pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
            contexts = self._given, torch.cat(states, dim=-1)
            unet = [self.components["unet"](self._x, 300, c, added_cond_kwargs=more).sample for c in contexts]
        return *states, second[0], *unet


@pytest.fixture(scope="module")
def small_base():
    """Return what the writer of files trains, in place of a Stable Diffusion 1."""
    with torch.random.fork_rng():
        return Answers()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_outputs_are_the_writers(kind, small_base, lycoris_file, to_ldm, largest_difference):
    algorithm, settings = ALGORITHMS[kind]
    written = lycoris_file(algorithm, **settings)
    tensors = {_as_kohya(name, to_ldm): tensor for name, tensor in load_file(written.path).items()}
    save_file(tensors, written.path)
    before, adapter = small_base.outputs(), read_adapter(written.path)
    assert {module.component for module in adapter.modules} == small_base.components.keys()
    with applied(small_base.components, adapter) as report:
        assert (report.problems, report.unmatched) == ((), ())
        after = small_base.outputs()
    assert largest_difference(after, written.outputs[1.0]) < 1e-4
    for changed, plain in zip(after, before, strict=True):
        assert (changed - plain).abs().max() > 1e-3


def _as_kohya(name, to_ldm):
    """Return a tensor's name as kohya's trainer gives it: blocks of the original code, and numbered encoders."""
    stem, dot, ending = name.partition(".")
    if stem.startswith("lora_unet_"):
        return f"lora_unet_{to_ldm(stem.removeprefix('lora_unet_'), (0, 1))}{dot}{ending}"
    prefix, path = ("lora_te2_", stem[9:]) if stem.startswith("lora_te2_") else ("lora_te1_", stem[8:])
    level = "" if path.startswith("text_") else "text_model_"
    return f"{prefix}{level}{path}{dot}{ending}"
