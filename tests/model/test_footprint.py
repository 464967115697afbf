"""What a base weighs and needs is known from its shapes: against known sizes, and against counted allocations."""

import numpy as np
import pytest
import torch
from fake_cuda import fused_attention, require_fake_cuda
from owf.core import families
from owf.core.model.backends.activations import sequential_values, transformer_values, unet_values, vae_values
from owf.core.model.base import CONFIGS, BaseChoice
from owf.core.model.blueprint import blueprint
from owf.core.model.footprint import NO_LORA, LoraBytes, footprint
from owf.core.model.memory import Keeping
from owf.core.train.forecast.peak_memory import PeakMemory
from tiny_qwen import known_class
from torch._subclasses.fake_tensor import FakeTensorMode


@pytest.fixture(scope="module")
def sd15():
    return blueprint(BaseChoice("stable-diffusion-v1-5/stable-diffusion-v1-5", "hub"))


@pytest.fixture(scope="module")
def sdxl():
    return blueprint(BaseChoice("stabilityai/stable-diffusion-xl-base-1.0", "hub"))


def parameters(base) -> dict[str, int]:
    return {p.name: sum(w.numel() for w in base.parts.models[p.name].parameters()) for p in base.pipeline.weighted}


def test_the_sizes_of_known_bases(sd15, sdxl):
    assert parameters(sd15) == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    assert parameters(sdxl) == {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    }
    assert (sd15.family.name, sd15.resolution, sd15.latent_shape) == ("sd15", 512, (4, 64, 64))
    assert (sdxl.family.name, sdxl.resolution, sdxl.latent_shape) == ("sdxl", 1024, (4, 128, 128))
    assert all(weight.is_meta for model in ("unet", "vae") for weight in sdxl.parts.models[model].parameters())


def test_weights_are_counted_in_the_type_of_each_part(sdxl):
    seen = footprint(sdxl, torch.float16, 1, Keeping())
    wide_vae = 4 * 83_653_863  # it overflows in float16
    assert seen.weights == 2 * (2_567_463_684 + 123_060_480 + 694_659_840) + wide_vae
    assert footprint(sdxl, torch.bfloat16, 1, Keeping()).weights == seen.weights - wide_vae // 2
    assert seen.lora == 0


def test_offloaded_parts_are_there_one_at_a_time(sdxl):
    unet, image = 2 * 2_567_463_684, vae_values(sdxl.parts.vae.config, 1024) * 4
    plain, one = (footprint(sdxl, torch.float16, 4, Keeping(offload)) for offload in ("none", "model"))
    assert plain.working == image  # decoding one image takes more than four rows of the U-Net
    assert one.weights == unet and one.working == 4 * 2 * sdxl.network.row_values()
    group = footprint(sdxl, torch.float16, 4, Keeping("group"))
    assert group.peak < one.peak < plain.peak
    tiled = footprint(sdxl, torch.float16, 4, Keeping("group", tile=512))
    assert tiled.working < group.working


def test_a_merged_lora_is_a_second_set_of_weights_and_one_beside_only_its_factors(sdxl):
    lora = LoraBytes(merged=1000, factors=10)
    assert footprint(sdxl, torch.float16, 1, Keeping(), lora).lora == 2000
    assert footprint(sdxl, torch.float16, 1, Keeping("model"), lora).lora == 20
    assert footprint(sdxl, torch.float16, 1, Keeping(), NO_LORA).lora == 0


def test_quantised_weights_are_the_linear_ones_of_what_adapters_change(sdxl):
    kept = [footprint(sdxl, torch.float16, 1, Keeping(quantize=q)).weights for q in ("none", "int8", "nf4")]
    plain, eight, four = kept
    models = (sdxl.parts.unet, sdxl.parts.text_encoder, sdxl.parts.text_encoder_2)
    linear = sum(m.weight.numel() for model in models for m in model.modules() if isinstance(m, torch.nn.Linear))
    assert plain - eight == linear
    assert (plain - four) / linear == pytest.approx(2 - 0.5 - 1 / 64 - 1 / 4096, abs=1e-6)


def made(cls, config):
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("cuda"):
            return cls.from_config(cls.load_config(config)).eval()
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@torch.no_grad()
def test_the_closed_forms_are_what_is_allocated(family, monkeypatch):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    require_fake_cuda()
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    half = {"device": "cuda", "dtype": torch.float16}
    side, pooled = {"sd15": (64, 0), "sdxl": (128, 1280)}[family]
    with FakeTensorMode(allow_non_fake_inputs=True):
        unet = made(UNet2DConditionModel, CONFIGS / family / "unet")
        peaks = []
        for rows in (1, 2):
            text = torch.zeros(rows, 77, unet.config["cross_attention_dim"], **half)
            sizes = {"text_embeds": torch.zeros(rows, pooled, **half), "time_ids": torch.zeros(rows, 6, device="cuda")}
            with PeakMemory() as memory:
                unet(
                    torch.zeros(rows, 4, side, side, **half),
                    torch.zeros(rows, device="cuda"),
                    text,
                    added_cond_kwargs=sizes if pooled else None,
                )
            peaks.append(memory.peak)
        each = peaks[1] - peaks[0]  # weights, which count once they are used, are the same in both
        # 22 tensors at the fullest moment are one or two more than there are: never too little, nor a tenth too much.
        assert 1 <= unet_values(unet.config, side) * 2 / each < 1.1
        vae = made(AutoencoderKL, CONFIGS / family / "vae")
        with PeakMemory() as memory:
            vae.decode(torch.zeros(1, 4, side, side, **half))
        # Only weights of the decoder's last layers, a few MB, come on top of the three tensors.
        assert memory.peak == pytest.approx(vae_values(vae.config, side * 8) * 2, rel=0.01)


@pytest.mark.slow
@torch.no_grad()
def test_the_closed_form_of_a_vae_that_codes_videos_is_what_is_allocated(monkeypatch):
    from diffusers import AutoencoderKLQwenImage

    require_fake_cuda()
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        vae = AutoencoderKLQwenImage().eval()
        peaks = []
        for work in (
            lambda: vae.decode(torch.zeros(1, 16, 1, 64, 64)),
            lambda: vae.encode(torch.zeros(1, 3, 1, 512, 512)),
        ):
            with PeakMemory() as memory:
                work()
            peaks.append(memory.peak)
    assert peaks[0] == pytest.approx(vae_values(vae.config, 512) * 4, rel=0.01)
    assert peaks[1] < peaks[0]


TRANSFORMERS = {
    "FluxTransformer2DModel": ({}, 4, {"pooled_projections": 768}, 4096, 3),
    "Flux2Transformer2DModel": (
        {"num_attention_heads": 24, "joint_attention_dim": 7680, "num_layers": 5, "num_single_layers": 20}
        | {"guidance_embeds": False},
        6,
        {},
        7680,
        4,
    ),
    "Krea2Transformer2DModel": ({"num_layers": 4}, 16384 / 6144, {}, (12, 2560), 3),
    "QwenImageTransformer2DModel": ({"num_layers": 4}, 4, {}, 3584, 3),
}
"""Class -> settings, ratio of its feed-forward, what else it is told, width of its text, axes of places."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # norms are in float32 in true bases
@pytest.mark.parametrize("name", TRANSFORMERS)
@torch.no_grad()
def test_the_closed_form_of_a_transformer_is_never_too_little(name, monkeypatch):
    import diffusers

    require_fake_cuda()
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    half = {"device": "cuda", "dtype": torch.float16}
    settings, ratio, told, width, axes = TRANSFORMERS[name]
    with FakeTensorMode(allow_non_fake_inputs=True):
        kind = getattr(diffusers, name)
        torch.set_default_dtype(torch.float16)
        try:
            with torch.device("cuda"):
                model = kind(**settings).eval()
        finally:
            torch.set_default_dtype(torch.float32)
        tokens, text, peaks = 4096, 512, []
        places = torch.zeros(tokens, axes, device="cuda"), torch.zeros(text, axes, device="cuda")
        is_one = name == "Krea2Transformer2DModel"
        placed = (
            {"position_ids": torch.cat(places)} if is_one else dict(zip(("img_ids", "txt_ids"), places, strict=True))
        )
        is_sequential = name == "QwenImageTransformer2DModel"
        values = sequential_values if is_sequential else transformer_values
        for rows in (1, 2):
            with PeakMemory() as memory:
                model(
                    hidden_states=torch.zeros(rows, tokens, model.config.in_channels, **half),
                    encoder_hidden_states=torch.zeros(rows, text, *np.atleast_1d(width).tolist(), **half),
                    timestep=torch.zeros(rows, **half),
                    **({"img_shapes": [[(1, 64, 64)]] * rows} if is_sequential else placed),
                    **{key: torch.zeros(rows, size, **half) for key, size in told.items()},
                )
            peaks.append(memory.peak)
        each = peaks[1] - peaks[0]
        inner = model.config.num_attention_heads * model.config.attention_head_dim
        assert 1 <= values(tokens + text, inner, ratio) * 2 / each < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("family", ["flux2_klein", "krea2", "qwen_image", "anima"])
@torch.no_grad()
def test_the_closed_form_of_a_language_model_is_never_too_little(family, monkeypatch):
    require_fake_cuda()
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    base = usual(family)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for name, part in base.components.items():
            if name != base.pipeline.denoiser:
                on_card(part)
        base.network.device, peaks = torch.device("cuda"), []
        for prompts in (4, 8):  # weights, which count once they are used, are the same in both
            with PeakMemory() as memory:
                base.network.embed_text(["x"] * prompts)
            peaks.append(memory.peak)
    each = (peaks[1] - peaks[0]) / 4
    # The numbers of the tokens and their masks are left out: below a thousandth, of the smallest model.
    assert 0.999 <= base.network.text_values()["text_encoder"] / 8 * 2 / each < 1.1


def on_card(model):
    """Give a model of shapes alone weights of 16 bits on a fake GPU."""
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            half = torch.empty(weight.shape, dtype=torch.float16, device="cuda")
            module.register_parameter(name, torch.nn.Parameter(half, requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            module.register_buffer(name, torch.empty_like(buffer, device="cuda"))


def usual(family):
    """Return the usual base of a family; skip the test where a class of it is not known."""
    known = families.get(family)
    for part in known.pipeline.weighted:
        if part.library == "diffusers":
            known_class(part.classes[0])
    return blueprint(BaseChoice(known.hub_id, "hub"))


MILLIONS = {
    "sd2": {"unet": 865.9, "text_encoder": 340.4},
    "flux": {"transformer": 11_901, "text_encoder": 123.1, "text_encoder_2": 4_762},
    "flux2_klein": {"transformer": 3_876, "text_encoder": 4_022},
    "flux2_klein_9b": {"transformer": 9_079, "text_encoder": 8_191},
    "krea2": {"transformer": 12_820, "text_encoder": 4_438},
    "qwen_image": {"transformer": 20_430, "text_encoder": 8_292},
    "z_image": {"transformer": 6_155, "text_encoder": 4_022},
    "anima": {"transformer": 1_956, "text_conditioner": 134.7, "text_encoder": 596.0},
}
"""Family -> millions of weights of its usual base, known by: "12B", "Qwen3-4B", "4B", "9B", "20B", "6B", "2B"."""


@pytest.mark.parametrize("family", MILLIONS)
def test_bases_that_are_not_here_have_the_sizes_that_they_are_known_by(family):
    base = usual(family)
    found = {name: count / 1e6 for name, count in parameters(base).items() if name != "vae"}
    assert found == pytest.approx(MILLIONS[family], rel=1e-3)
    assert base.family.name == family and base.resolution == base.family.resolution


def test_other_bases_of_its_size_are_known_by_their_names():
    for family in families.audited():
        for hub_id in family.of_its_size:
            assert families.of_hub_id(hub_id) is family
            assert family.drawing([hub_id]) != family.drawing([family.hub_id])  # of two, one is distilled


@pytest.mark.slow
@torch.no_grad()
def test_the_closed_form_of_a_transformer_of_videos_is_never_too_little(monkeypatch):
    from diffusers import CosmosTransformer3DModel

    require_fake_cuda()
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    half = {"device": "cuda", "dtype": torch.float16}
    settings = {"num_attention_heads": 16, "num_layers": 4, "extra_pos_embed_type": None}
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.set_default_dtype(torch.float16)
        try:
            with torch.device("cuda"):
                model = CosmosTransformer3DModel(**settings).eval()
        finally:
            torch.set_default_dtype(torch.float32)
        peaks = []
        for rows in (1, 2):
            with PeakMemory() as memory:
                model(
                    hidden_states=torch.zeros(rows, 16, 1, 128, 128, **half),
                    timestep=torch.zeros(rows, **half),
                    encoder_hidden_states=torch.zeros(rows, 512, 1024, **half),
                    padding_mask=torch.zeros(1, 1, 128, 128, **half),
                )
            peaks.append(memory.peak)
    assert 1 <= sequential_values(4096 + 512, 2048, 4) * 2 / (peaks[1] - peaks[0]) < 1.2
