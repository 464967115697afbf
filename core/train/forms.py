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


def _lycoris(name: str, title: str) -> Form:
    facts = (("ss_network_module", "lycoris.kohya"), ("ss_network_args", json.dumps({"algo": name})))
    return Form(f"{title}: ComfyUI and webui load it; diffusers does not.", facts)


FORMS = {
    "lora": Form(),
    "dora": Form(
        "DoRA means slightly different things in different programs, and diffusers leaves it out: try the file where "
        "it is to be used."
    ),
    "loha": _lycoris("loha", "LoHa"),
    "lokr": _lycoris("lokr", "LoKr"),
}
"""Algorithm of a plan -> its form."""
