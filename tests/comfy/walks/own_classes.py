"""Returns the family of models by ComfyUI's own configurations of them, those that this ComfyUI has."""

from types import SimpleNamespace

from comfy import supported_models
from prelude import GIVEN, answer, pack, start

start()
family_of = pack("nodes.backend.model.families").family_of
found = {}
for name, width, *more in GIVEN["asked"]:
    kind = getattr(supported_models, name, None)
    if kind is not None:
        config = kind({"hidden_size": width, "dim": width, **dict.fromkeys(more, "index_timestep_zero")})
        found[" ".join([name, str(width), *more])] = family_of(SimpleNamespace(model_config=config)).name
answer(found=found)
