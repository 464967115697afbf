"""ComfyUI's models as a Denoiser: the demo base as diffusers answers, SDXL, v and flow by their definitions."""

from tiny_sdxl import BUILD

DEMO = """
start()
import importlib
load_base = pack("core.base").load_base
choice = pack("core.base").BaseChoice(str(pack("core.base").DEMO_BASE), "folder")
backend = pack("nodes.backend.denoiser")
gaussian = pack("core.noise").gaussian
with torch.inference_mode():
    model, clip, vae = pack("nodes.backend.demo").load_demo()
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    theirs = load_base(choice, torch.device("cpu"), torch.float32, offline=True)
    model2, clip2, vae2 = pack("nodes.backend.demo").load_demo()
    again = backend.ComfyDenoiser(backend.Pair(model2, clip2), vae2)
    prompts = ["a photo of a red bag", "", "a photo of a (green:1.3) sneaker"]
    a, b = ours.encode_text(prompts), theirs.encode_text(prompts)
    x = torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(3)])
    t = torch.tensor([10, 500, 990])
    images = theirs.decode(x)
    far = lambda p, q: float((p.float() - q.float()).abs().max() / q.float().abs().max())
    plain = pack("core.denoiser").Conditioning(a.context, a.pooled)
    layer = (torch.nn.Linear, torch.nn.Conv2d)
    names = lambda d: [n for n, m in d.components["unet"].named_modules() if isinstance(m, layer)]
    answer(text=far(a.context, b.context), predicted=far(ours.predict(x, t, a), theirs.predict(x, t, b)),
           plain=far(ours.predict(x, t, plain), theirs.predict(x, t, b)),
           encoded=far(ours.encode_image(images), theirs.encode_image(images)),
           decoded=int((ours.decode(x).int() - images.int()).abs().max()), digest=ours.digest() == again.digest(),
           schedule=far(ours.schedule.signal, theirs.schedule.signal), order=names(ours) == names(theirs),
           shape=[ours.latent_shape, ours.resolution, ours.family] == [(4, 8, 8), 64, "demo"])
"""


def test_the_demo_base_answers_as_it_does_in_diffusers(host):
    found = host.run(DEMO)
    # Float32 sums in another order: a few units in the seventh digit, growing with depth.
    assert found["text"] < 2e-6 and found["encoded"] < 2e-6
    assert found["predicted"] < 1e-5 and found["plain"] < 1e-5
    assert found["decoded"] <= 1
    assert found["schedule"] < 1e-6
    assert found["digest"] and found["order"] and found["shape"]


SDXL = """
backend = pack("nodes.backend.denoiser")
gaussian = pack("core.noise").gaussian
with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae, 64)
    cond = ours.encode_text(["a cat", "a red dog"])
    x0, eps = (torch.stack([gaussian((4, 8, 8), seed, str(i)) for i in range(2)]) for seed in (0, 1))
    t = torch.tensor([100, 900])
    x_t = ours.schedule.noise(x0, eps, t)
    predicted = ours.predict(x_t, t, cond)
    # The network asked directly, by the definition of its kind.
    sigma = model.get_model_object("model_sampling").sigmas[t]
    signal = 1 - sigma if KIND == "FLOW" else (1 + sigma ** 2) ** -0.5
    pooled = network.encode_adm(pooled_output=cond.pooled, width=64, height=64, device="cpu")
    time = sigma * 1000 if KIND == "FLOW" else t.float()
    direct = network.diffusion_model(x_t, time, context=cond.context, y=pooled)
    one = torch.cat([ours.predict(x_t[i:i+1], t[i:i+1], cond.rows([i])) for i in range(2)])
    patched = model.clone()
    patched.set_model_attn1_output_patch(lambda out, extra: out * -20)
    ours.use(backend.Pair(patched, clip))
    changed = ours.predict(x_t, t, cond)
    ours.use(ours.base)
    far = lambda p, q: float((p - q).abs().max() / q.abs().max())
    target = ours.schedule.target(x0, eps, t)
    x0_again, eps_again = ours.schedule.split(x_t, target, t)
    answer(kind=ours.schedule.prediction_type, family=ours.family, direct=far(predicted, direct),
           one=far(one, predicted),
           changed=far(changed, predicted), back=far(ours.predict(x_t, t, cond), predicted), split=far(x0_again, x0),
           pooled=list(cond.pooled.shape), context=list(cond.context.shape))
"""


def check(host, kind: str, name: str):
    found = host.run(f"KIND = {kind!r}\nstart()\n{BUILD}{SDXL}")
    assert (found["kind"], found["family"]) == (name, "sdxl")
    assert found["context"] == [2, 77, 64] and found["pooled"] == [2, 32]
    # ComfyUI gives denoised latents; getting the prediction back divides by sigma, at least 0.1 here.
    assert found["direct"] < 2e-5 and found["one"] < 2e-5
    assert found["split"] < 1e-4
    assert found["changed"] > 1e-4, "an attention patch must count"
    assert found["back"] == 0, "and must be gone afterwards"


DIGESTS = """
start()
digest_of = pack("nodes.backend.digest").digest_of
with torch.inference_mode(False):
    model, clip, vae = pack("nodes.backend.demo").load_demo()
skipping = clip.clone()
skipping.clip_layer(-2)
answer(plain=digest_of(model, clip, vae), again=digest_of(model, clip.clone(), vae),
       skipping=digest_of(model, skipping, vae))
"""


def test_a_skipped_layer_of_clip_is_another_base(host):
    found = host.run(DIGESTS)
    assert found["plain"] == found["again"] != found["skipping"]


def test_sdxl_epsilon(host):
    check(host, "EPS", "epsilon")


def test_sdxl_v_prediction(host):
    check(host, "V_PREDICTION", "v_prediction")


def test_flow(host):
    check(host, "FLOW", "flow")


MEMORY = """
start()
import comfy.model_management as management
asked, load = [], management.load_models_gpu
def loading(models, **wishes):
    asked.append({"models": [type(m.model).__name__ for m in models], **wishes})
    return load(models, **wishes)
management.load_models_gpu = loading
backend, trainer = pack("nodes.backend.denoiser"), pack("nodes.backend.trainer")
features = pack("nodes.backend.features").host_features("demo", lambda done, total: None)
gaussian = pack("core.noise").gaussian
model, clip, vae = pack("nodes.backend.demo").load_demo()
with torch.inference_mode():
    ours = backend.ComfyDenoiser(backend.Pair(model, clip), vae)
    cond = ours.encode_text(["a bag"] * 3)
    asked.clear()
    ours.predict(torch.stack([gaussian((4, 8, 8), 0, str(i)) for i in range(3)]), torch.tensor([10, 500, 990]), cond)
    (predicting,) = asked
    asked.clear()
    vectors = features(torch.zeros(6, 3, 64, 64, dtype=torch.uint8))
    looking = list(asked)
    asked.clear()
with torch.inference_mode(False):
    trainer.ComfyTrainer(backend.Pair(model, clip), vae, None, lambda done, total: None)
training = asked[-1]
needs = [model.memory_required([rows, 4, 8, 8]) + management.minimum_inference_memory() for rows in (3, 1)]
answer(predicting=predicting, needs=needs, looking=looking, shape=list(vectors.shape), training=training)
"""


def test_comfyui_is_told_what_memory_a_batch_needs(host):
    found = host.run(MEMORY)
    predicting, training = found["predicting"], found["training"]
    assert [predicting["memory_required"], predicting["minimum_memory_required"]] == found["needs"]
    assert found["needs"][0] > found["needs"][1] and not predicting["force_full_load"]
    # Six images in two parts, so that cancel is heard between them.
    assert [len(load["models"]) for load in found["looking"]] == [1, 1] and found["shape"][0] == 6
    assert training["force_full_load"] and training["memory_required"] > 1e15 and len(training["models"]) == 3
