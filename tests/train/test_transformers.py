"""Trainings of FLUX.1, Z-Image and FLUX.2 klein: tiny random models of their true architectures."""

import re
import warnings
from dataclasses import replace

import diffusers
import pytest
import torch
from owf.core import families
from owf.core.adapter import LoraCard, LoraPair, applied, read_adapter, write_lora
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import joined
from owf.core.model.diffusion.drawings import LatentCache
from owf.core.model.diffusion.encodings import Encodings, kept_encodings
from owf.core.model.diffusion.noise import gaussian
from owf.core.progress import SILENT
from owf.core.train.data.rows import Draw, Rows
from owf.core.train.data.text_cache import TextCache
from owf.core.train.loop.drift import DriftWatch
from owf.core.train.loop.loss import LossMaker
from owf.core.train.metadata import read_metadata
from owf.core.train.methods.method import attach
from owf.core.train.records import TrainSetting
from owf.core.train.session import TrainRequest, TrainSession
from owf.core.train.summary import summary
from owf.core.train.train import train
from safetensors.torch import load_file
from small_training import BANK, run, small_plan, two_pictures
from tiny_flows import TRAINED, flux_parts, pipeline_of

PROMPTS = ("a photo of a sks bag", "a")


@pytest.fixture(autouse=True)
def quiet_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(params=TRAINED)
def family(request):
    return request.param


def base(family):
    return DiffusersDenoiser(TRAINED[family](), "tiny", family)


def plan(**options):
    """Return a plan of two steps with a row of each kind, of the layers that nobody chose."""
    return small_plan(**({"steps": 2, "batch": 1, "targets": "transformer", "dc_control": "fixed"} | options))


def answers(denoiser):
    cond = denoiser.encode_text(PROMPTS)
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "xy"])
    return denoiser.predict(x, torch.tensor([300, 700]), cond)


def randomised(method):
    """Move what is trained by noise, to what the file can hold, so that only the arithmetic differs."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in method.parameters.values():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_((parameter + noise).half().float())


FORMS = [
    *({"algorithm": algorithm, "targets": "all"} for algorithm in ("lora", "dora", "loha", "lokr")),
    *({"algorithm": algorithm, "alpha": 1.0} for algorithm in ("lora", "loha", "lokr")),
]
REFUSED = {("flux", "lokr"), *((family, "loha") for family in TRAINED)}
"""Forms that diffusers' loader does not know for a family."""


@pytest.mark.parametrize("options", FORMS, ids=lambda options: "-".join(map(str, options.values())))
def test_the_file_is_the_network_that_was_trained_here_and_in_diffusers(family, options, tmp_path):
    denoiser, asked = base(family), plan(**options)
    before = answers(denoiser)
    method = attach(denoiser, asked)
    randomised(method)
    trained = answers(denoiser)
    with method.off():
        assert torch.equal(answers(denoiser), before)
    path = tmp_path / "x.safetensors"
    method.write(path, LoraCard("x", families.get(family)))
    method.detach()
    assert torch.equal(answers(denoiser), before)
    assert (trained - before).abs().max() > 1e-3  # ten times what may differ
    adapter = read_adapter(path)
    assert not any("alpha" in warning for warning in adapter.warnings)
    with applied(denoiser.components, adapter) as report:
        assert report.problems == ()
        torch.testing.assert_close(answers(denoiser), trained, atol=1e-4, rtol=1e-4)
    with applied(denoiser.components, adapter, 0.0):
        assert torch.equal(answers(denoiser), before)

    parts = TRAINED[family]()
    pipeline = pipeline_of(family, parts)
    if (family, asked.algorithm) in REFUSED:
        with pytest.raises(ValueError, match="checkpoint"):
            pipeline.load_lora_weights(str(tmp_path), weight_name=path.name)
        return
    pipeline.load_lora_weights(str(tmp_path), weight_name=path.name)
    torch.testing.assert_close(answers(DiffusersDenoiser(parts, "loaded", family)), trained, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "checkpointing"), [(torch.float32, False), (torch.bfloat16, True)])
def test_steps_lower_the_loss_of_a_fixed_batch(family, dtype, checkpointing):
    denoiser, asked = base(family), plan(rank=4)
    for part in denoiser.components.values():
        part.to(dtype)
    denoiser.checkpoint_gradients(checkpointing)
    method = attach(denoiser, asked)
    losses = LossMaker(denoiser, method, TextCache(Encodings(denoiser)), 0.0, denoiser.dtype)
    x0, eps = (gaussian((2, *denoiser.latent_shape), 0, name) for name in ("x0", "eps"))
    rows = Rows(x0, eps, Draw(0, 0).timesteps(2, denoiser.schedule, "x"), PROMPTS)
    optimizer, found = torch.optim.AdamW(method.parameters.values(), lr=1e-2), []
    for _ in range(4):
        loss = losses.losses(rows, Draw(0, 0), {}).concept
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(loss))
    assert {parameter.dtype for parameter in method.parameters.values()} == {torch.float32}
    assert found == sorted(found, reverse=True) and found[-1] < found[0] - 0.01


def test_an_interrupted_training_resumes_to_the_same_bytes_whatever_shapes_its_pictures_have(family, tmp_path):
    wide, square = two_pictures()
    pictures = [replace(wide, pixels=wide.pixels.repeat(1, 1, 2)), square]
    asked = plan(steps=3, preserve=("dc", "prior"), prior_images=1, drift_every=2, teacher_cache=2, checkpointing=True)

    def trained(folder, **setting):
        usual = {"batch": Batching(4), "cache": tmp_path / "cache", "progress": SILENT, "save_every": 1e9}
        return train(base(family), pictures, BANK, asked, TrainSetting("x", folder, **(usual | setting)))

    whole, steps = trained(tmp_path / "whole"), []
    stopped = trained(tmp_path / "parts", watch=lambda r: steps.append(r.step), stop=lambda: len(steps) == 2)
    assert (stopped.steps, stopped.finished) == (2, False)
    resumed = trained(tmp_path / "parts", watch=lambda r: steps.append(r.step), resume=True)
    assert resumed.finished and steps == [1, 2, 3]
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    facts = read_metadata(whole.path)
    assert facts["owf.timesteps"].startswith("logit-normal") and facts["modelspec.prediction_type"] == "flow"
    assert facts.get("ss_guidance_scale") == ("1.0" if family == "flux" else None)


@pytest.mark.parametrize("usual", [families.USUAL, families.Drawing("turbo", 1.0, 8)])
def test_drift_of_a_distilled_base_is_watched_at_its_samplers_own_timesteps(family, usual, tmp_path):
    denoiser, asked = base(family), set()
    drawings = LatentCache(denoiser, tmp_path, Batching(4), SILENT, usual=usual)
    drawings.latents("drawing", PROMPTS)
    predict = denoiser.predict
    denoiser.predict = lambda x_t, t, cond: asked.update(t.tolist()) or predict(x_t, t, cond)
    watch = DriftWatch(denoiser, attach(denoiser, plan()), PROMPTS, drawings, Batching(4), usual.own_steps)
    assert watch.measure() == 0 and len(asked) == 4
    assert (asked <= set(denoiser.schedule.drawn_timesteps(8))) is usual.is_distilled


def test_targets_hold_one_another(family):
    def trained(targets):
        denoiser = base(family)
        method = attach(denoiser, plan(targets=targets))
        return set(method.parameters)

    attention, transformer, everything = map(trained, ("attention", "transformer", "all"))
    assert attention and attention < transformer <= everything
    assert all(".attn" in name or ".attention" in name for name in attention)
    assert not any("text_encoder" in name for name in everything)
    assert (transformer == everything) == (family == "flux2_klein")


def test_flux_is_told_no_guidance_in_a_training_and_the_usual_one_elsewhere():
    x, t = gaussian((1, 4, 8, 8), 0, "x"), torch.tensor([500])
    for guidance in (True, False):
        denoiser = DiffusersDenoiser(flux_parts(guidance=guidance), "tiny", "flux")
        cond = denoiser.encode_text(PROMPTS[:1])
        asked = []
        denoiser.components["transformer"].register_forward_pre_hook(
            lambda module, inputs, given, asked=asked: asked.append(given["guidance"]), with_kwargs=True
        )
        denoiser.predict(x, t, cond)
        denoiser.forward(x, t, cond)
        assert asked == ([3.5, 1.0] if guidance else [None, None])
        assert dict(denoiser.told_in_training) == ({"ss_guidance_scale": "1.0"} if guidance else {})


def test_captions_wait_in_main_memory_without_what_fills_them_up(family, tmp_path):
    """And are the same network's when rows of several lengths are asked together."""
    denoiser = base(family)
    for cache in (None, tmp_path, tmp_path):
        with kept_encodings(denoiser, cache) as encodings:
            cond, kept = TextCache(encodings).rows(PROMPTS), encodings.captions(PROMPTS)
        whole = joined([denoiser.encode_text([prompt]) for prompt in PROMPTS])
        x, t = gaussian((2, *denoiser.latent_shape), 0, "x"), torch.tensor([300, 700])
        assert torch.equal(denoiser.predict(x, t, cond), denoiser.predict(x, t, whole))
        length = int(whole.mask.any(0).nonzero().max()) + 1 if whole.mask is not None else 512
        assert cond.context.shape[1] == length and (length < 512) == (family == "z_image")
    assert all(part.context.untyped_storage().nbytes() == part.context.nbytes for part in kept)


KLEIN = {"attention_head_dim": 128, "guidance_embeds": False}
TRUE = {
    "flux": ("FluxTransformer2DModel", {"guidance_embeds": True}),
    "z_image": ("ZImageTransformer2DModel", {}),
    "flux2_klein": (
        "Flux2Transformer2DModel",
        KLEIN | {"num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680},
    ),
    "flux2_klein_9b": (
        "Flux2Transformer2DModel",
        KLEIN | {"num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288},
    ),
}
"""Classes and settings of the true transformers; what is not said is the class's own default."""


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("chosen", ["attention", "transformer", "all"])
def test_files_of_true_size_are_known_for_their_familys(name, chosen, tmp_path):
    kind, settings = TRUE[name]
    with torch.device("meta"):
        model = getattr(diffusers, kind)(**settings)
    known = families.get(name)
    pattern = re.compile(rf"(.*\.)?({known.pipeline.targets.layers(chosen)})")
    layers = {n: m for n, m in model.named_modules() if pattern.fullmatch(n) and isinstance(m, torch.nn.Linear)}
    pairs = [
        LoraPair("transformer", n, torch.ones(1, m.in_features).half(), torch.ones(m.out_features, 1).half(), 1.0)
        for n, m in layers.items()
    ]
    write_lora(tmp_path / "x.safetensors", pairs, LoraCard("x", known))
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert (adapter.family, adapter.warnings) == (name, ())


def on(family, names=(), **options):
    request = TrainRequest(plan(**options), tuple(two_pictures()), bank=tuple(f"a {i} hat" for i in range(40)))
    return TrainSession(request).on(base(family), names)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"train_text_encoder": True}, "train_text_encoder"),
        ({"method": "custom_diffusion"}, "method"),
        ({"bucket": 8}, "bucket"),
        ({"resolution": 72}, "resolution"),
    ],
)
def test_what_is_not_trained_of_them_is_refused_before_anything_is_drawn(family, options, setting):
    with pytest.raises(UsageError, match=families.get(family).title.split()[0]) as caught:
        on(family, **options)
    assert setting in [each.name for each in caught.value.settings]


@pytest.mark.parametrize(
    ("family", "names", "guidance", "steps"),
    [
        ("flux", ("black-forest-labs/FLUX.1-dev",), 1.0, 3),
        ("flux", ("black-forest-labs/FLUX.1-schnell",), 1.0, 4),
        ("z_image", ("Tongyi-MAI/Z-Image",), 6.0, 3),
        ("z_image", ("Tongyi-MAI/Z-Image-Turbo",), 1.0, 8),
        ("flux2_klein", ("black-forest-labs/FLUX.2-klein-base-4B",), 4.0, 3),
        ("flux2_klein", ("black-forest-labs/FLUX.2-klein-4B",), 1.0, 4),
    ],
)
def test_the_base_draws_as_people_draw_with_it_and_a_distilled_one_is_named(family, names, guidance, steps):
    from owf.core.model.diffusion.drawings import sampling_of

    training = on(family, names)
    sampling = sampling_of(training.usual)
    assert (sampling.guidance_scale, sampling.steps) == (guidance, steps)  # three where it is the preset's
    assert ("it was distilled" in summary(training)) == (steps != 3)


def test_names_are_those_of_diffusers_and_hold_no_alpha(family, tmp_path):
    trained = run(tmp_path, plan(preserve=(), alpha=1.0), base(family))
    names = load_file(trained.path)
    assert all(name.startswith("transformer.") and name.endswith(("lora_A.weight", "lora_B.weight")) for name in names)
    facts = read_metadata(trained.path)
    assert (facts["ss_network_dim"], facts["ss_network_alpha"]) == ("2", "2.0")
