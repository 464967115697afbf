"""Returns what memory ComfyUI is asked for: by a prediction, by a feature network, by a training."""

import comfy.model_management as management
import torch
from prelude import answer, pack, start

start()
asked, load = [], management.load_models_gpu


def loading(models, **wishes):
    asked.append({"models": [type(m.model).__name__ for m in models], **wishes})
    return load(models, **wishes)


management.load_models_gpu = loading
backend, trainer = pack("nodes.backend.model.denoiser"), pack("nodes.backend.model.trainer")
SILENT = pack("core.progress").SILENT
features = pack("nodes.backend.features").host_features("demo", SILENT)
gaussian = pack("core.model.diffusion.noise").gaussian
model, clip, vae = pack("nodes.backend.demo").load_demo()
with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    cond = ours.encode_text(["a bag"] * 3)
    asked.clear()
    ours.predict(
        torch.stack([gaussian(ours.latent_shape, 0, str(i)) for i in range(3)]), torch.tensor([10, 500, 990]), cond
    )
    (predicting,) = asked
    asked.clear()
    vectors = features(torch.zeros(6, 3, 64, 64, dtype=torch.uint8))
    looking = list(asked)
    asked.clear()
with torch.inference_mode(False):
    trainer.ComfyTrainer(backend.Pair(model, clip), vae, None, SILENT)
training = asked[-1]
needs = [model.memory_required([rows, *ours.latent_shape]) + management.minimum_inference_memory() for rows in (3, 1)]
answer(predicting=predicting, needs=needs, looking=looking, shape=list(vectors.shape), training=training)
