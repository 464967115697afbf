"""Returns the family of models by ComfyUI's own configurations of them, those that this ComfyUI has."""

from types import SimpleNamespace

from comfy import supported_models
from prelude import GIVEN, answer, pack, start

start()
family_of = pack("nodes.backend.model.families").family_of
found = {}
for name, width in GIVEN["asked"]:
    kind = getattr(supported_models, name, None)
    if kind is not None:
        config = kind({"hidden_size": width, "dim": width})
        found[f"{name} {width}"] = family_of(SimpleNamespace(model_config=config)).name
answer(found=found)
