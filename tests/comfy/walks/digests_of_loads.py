"""Returns what a base is known by: loaded twice by ComfyUI's own loader, and with what somebody else set on it."""

import comfy.hooks
import torch
from comfy import sd1_clip
from prelude import HOME, answer, folder_paths, nodes, pack, start
from safetensors.torch import save_file

start()
digest_of, is_patched = pack("nodes.backend.model.digest").digest_of, pack("nodes.backend.model.digest").is_patched
folder = HOME / "text_encoders"
folder.mkdir()
folder_paths.add_model_folder_path("text_encoders", str(folder))
names = sd1_clip.SDClipModel().transformer.state_dict()
# As the files of Stable Diffusion 1 are: without the projection, which ComfyUI then leaves to chance.
tensors = {n: torch.randn(t.shape).half() * 0.02 for n, t in names.items() if n != "text_projection.weight"}
save_file(tensors, folder / "clip_l.safetensors")
loader = nodes.NODE_CLASS_MAPPINGS["CLIPLoader"]()
model, _, vae = pack("nodes.backend.demo").load_demo()
first = loader.load_clip("clip_l.safetensors", "stable_diffusion")[0]
waste = [torch.randn(768, 768) for _ in range(8)]  # so that chance gives another projection
second = loader.load_clip("clip_l.safetensors", "stable_diffusion")[0]
plain, again = digest_of(model, first, vae), digest_of(model, second, vae)


def other_type(patcher, dtype):
    patcher.set_model_compute_dtype(dtype)
    return patcher


typed = first.clone()
other_type(typed.patcher, torch.float16)
unset = first.clone()
unset.patcher.force_cast_weights = not unset.patcher.force_cast_weights
hooked = first.clone()
hooked.patcher.forced_hooks = comfy.hooks.HookGroup()
hooked.patcher.forced_hooks.add(comfy.hooks.WeightHook())
computing = other_type(model.clone(), torch.float32)
sampling = type(model.get_model_object("model_sampling"))(model.model.model_config)
levels = sampling.sigmas.clone()
levels[-1] *= 2
sampling.set_sigmas(levels)
plain_sampling = model.model.model_sampling
model.model.model_sampling = sampling  # as a marker in a checkpoint sets it, without a patch
levelled = digest_of(model, first, vae)
model.model.model_sampling = plain_sampling
others = [(model, typed, vae), (model, unset, vae), (model, hooked, vae), (computing, first, vae)]
answer(
    plain=plain,
    again=again,
    born=repr(first.patcher.object_patches),
    patched=is_patched(first.patcher),
    parts=[is_patched(model), is_patched(vae.patcher)],
    others=[digest_of(*given) for given in others],
    levelled=levelled,
)
