"""What a base is known by, on models that only say what ComfyUI's say of themselves."""

import pytest

MODELS = """
import torch
from torch import nn
digest = pack("nodes.backend.model.digest")

class Patcher:
    def __init__(self, model=None, is_clip=False, **marks):
        self.patches, self.object_patches, self.weight_wrapper_patches = {}, {}, {}
        self.hook_patches, self.injections, self.additional_models = {}, {}, {}
        self.forced_hooks, self.force_cast_weights, self.is_clip = None, False, is_clip
        self.model_options = {"transformer_options": {}}
        self.wrappers, self.callbacks = {"diffusion_model": {}}, {"on_clone": {}}
        self.model = model
        vars(self).update(marks)

    def get_model_object(self, name):
        return self.object_patches.get(name, getattr(self.model, name))

class Sampling:
    def __init__(self, last):
        self.sigmas = torch.linspace(0.03, last, 10)

class Format:
    scale_factor = 0.18

class Model(nn.Module):
    def __init__(self, last=14.6):
        super().__init__()
        self.diffusion_model, self.latent_format = torch.nn.Linear(4, 4), Format()
        self.model_sampling = Sampling(last)

class SD1ClipModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.clip_l = nn.Module()
        self.clip_l.transformer = nn.Module()
        self.clip_l.transformer.inner = nn.Linear(4, 4)
        self.clip_l.transformer.text_projection = nn.Linear(4, 4, bias=False)

class SD3ClipModel(SD1ClipModel):
    def __init__(self):
        super().__init__()
        self.clip_l.return_projected_pooled = False

class Holder:
    layer_idx = None
    def __init__(self, patcher, module):
        self.patcher, self.cond_stage_model, self.first_stage_model = patcher, module, module
        self.tokenizer_options = {}

BORN = {"object_patches": {"manual_cast_dtype": torch.float32}, "force_cast_weights": True}
torch.manual_seed(0)
network, text, autoencoder = Model(), SD1ClipModel(), nn.Linear(2, 2)
def of(model=(), clip=(), text=text, network=network):
    parts = Patcher(network, **dict(model)), Holder(Patcher(is_clip=True, **dict(clip)), text)
    digest._DIGESTS.clear()  # as after a new start
    return digest.digest_of(*parts, Holder(Patcher(), autoencoder))
"""


def test_what_comfyui_gives_every_clip_is_no_patch(stub):
    found = stub.run(MODELS + "answer(now=[of(clip=BORN), of(clip=BORN)], before=[of(), of()])")
    assert len(set(found["now"])) == 1 and len(set(found["before"])) == 1


@pytest.mark.parametrize(
    ("part", "marks"),
    [
        ("clip", "{**BORN, 'object_patches': {'manual_cast_dtype': torch.float16}}"),
        ("clip", "{**BORN, 'object_patches': {'manual_cast_dtype': None}}"),
        ("clip", "{**BORN, 'object_patches': {**BORN['object_patches'], 'other': 1}}"),
        ("clip", "{**BORN, 'object_patches': {}}"),
        ("clip", "{**BORN, 'force_cast_weights': False}"),
        ("clip", "{**BORN, 'patches': {'weight': [1]}}"),
        ("clip", "{**BORN, 'forced_hooks': object()}"),
        ("model", "BORN"),
        ("model", "{'object_patches': {'manual_cast_dtype': torch.float16}, 'force_cast_weights': True}"),
    ],
)
def test_what_somebody_else_set_counts(stub, part, marks):
    code = MODELS + f"changed = {marks}\nanswer(plain=of(clip=BORN), changed=[of({part}=changed), of({part}=changed)])"
    found = stub.run(code)
    # Nothing tells two patches apart, so no two audits of such a base share a result.
    assert len({found["plain"], *found["changed"]}) == 3


def test_a_schedule_is_part_of_the_base_and_an_unused_projection_is_not(stub):
    code = """
import copy
steeper = copy.deepcopy(network)
steeper.model_sampling = Sampling(100.0)
def lucky(kind):
    torch.manual_seed(1)
    one, two = kind(), None
    two = copy.deepcopy(one)
    nn.init.normal_(two.clip_l.transformer.text_projection.weight)
    changed = copy.deepcopy(one)
    nn.init.normal_(changed.clip_l.transformer.inner.weight)
    return [of(text=one), of(text=two), of(text=changed)]
answer(plain=of(), steeper=of(network=steeper), sd1=lucky(SD1ClipModel), sd3=lucky(SD3ClipModel))
"""
    found = stub.run(MODELS + code)
    assert found["plain"] != found["steeper"]
    for one, two, changed in (found["sd1"], found["sd3"]):
        assert one == two != changed


def test_what_is_said_of_images_that_are_not_finite_follows_what_was_seen(stub):
    code = """
from types import SimpleNamespace as Some
module = pack("nodes.backend.model.denoiser")
def said(latents, dtype):
    denoiser = object.__new__(module.ComfyDenoiser)
    denoiser._vae, patcher = Some(vae_dtype=dtype), Patcher(Some(manual_cast_dtype=torch.float16))
    denoiser.live = Some(model=patcher)
    return denoiser._overflow(torch.tensor(latents))
answer(said=[said([1.0], torch.float16), said([1.0], torch.float32), said([float("nan")], torch.float16)])
"""
    half, whole, before = stub.run(MODELS + code)["said"]
    assert "float16: start ComfyUI with --fp32-vae" in half
    assert whole.endswith("the VAE computes in float32.")
    assert before == "The drawn latents contain NaN or infinite values; MODEL computes in float16."
