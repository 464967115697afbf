"""The forms in which the change of a weight can be trained and written. No torch."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One form of the change of a weight."""

    portability: str = ""
    """What to know before the file is used elsewhere, a sentence; empty where every program loads it alike."""
    facts: tuple[tuple[str, str], ...] = ()
    """Metadata by which programs know the form."""


def _lycoris(name: str, title: str, diffusers: str) -> Form:
    facts = (("ss_network_module", "lycoris.kohya"), ("ss_network_args", json.dumps({"algo": name})))
    return Form(f"{title}: ComfyUI and webui load it; diffusers {diffusers}.", facts)


FORMS = {
    "lora": Form(),
    "dora": Form(
        "DoRA means slightly different things in different programs. Its magnitudes are left out by diffusers on "
        "Stable Diffusion, and by ComfyUI on transformers: try the file where it is to be used."
    ),
    "loha": _lycoris("loha", "LoHa", "does not"),
    "lokr": _lycoris("lokr", "LoKr", "does for Z-Image and FLUX.2 klein alone"),
}
"""Algorithm of a plan -> its form."""
