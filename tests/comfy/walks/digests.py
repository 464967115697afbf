"""Returns digests of the demo base: plain, fresh, patched, with a skipped layer, with injections."""

from pathlib import Path

import torch
from prelude import PACK, answer, pack, start

start()
digest_of = pack("nodes.backend.model.digest").digest_of
backend, change = pack("nodes.backend.model.denoiser"), pack("nodes.backend.change")
with torch.inference_mode(False):
    model, clip, vae = pack("nodes.backend.demo").load_demo()
skipping = clip.clone()
skipping.clip_layer(-2)
lora = pack("nodes.backend.lora_file").lora_weights(Path(PACK, "demo", "lora", "owf_demo_plain.safetensors"))
tuned = change.patched(backend.Pair(model, clip), lora, 1.0)
# A patched base first: what is loaded then are not the weights of the plain one.
patched = [backend.ComfyDenoiser(tuned, vae).digest() for _ in range(2)]
plain = backend.ComfyDenoiser(backend.Pair(model, clip), vae).digest()
fresh, other = pack("nodes.backend.demo").load_demo(), model.clone()
other.set_injections("other", [])
other.set_injections("one", [object()])
answer(
    plain=plain,
    again=digest_of(model, clip.clone(), vae),
    fresh=digest_of(*fresh),
    patched=patched,
    skipping=digest_of(model, skipping, vae),
    injected=digest_of(other, clip, vae),
)
