"""Models that only say what ComfyUI's say of themselves, and the digest of a base of them, for other walks."""

import torch
from torch import nn
from walk import pack

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
"""What ComfyUI gives every CLIP."""
torch.manual_seed(0)
network, text, autoencoder = Model(), SD1ClipModel(), nn.Linear(2, 2)


def of(model=(), clip=(), text=text, network=network):
    """Return the digest of a base whose MODEL and CLIP have these marks."""
    parts = Patcher(network, **dict(model)), Holder(Patcher(is_clip=True, **dict(clip)), text)
    digest._DIGESTS.clear()  # as after a new start
    return digest.digest_of(*parts, Holder(Patcher(), autoencoder))
