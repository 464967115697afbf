"""OWF_LoadAuditedLoRA: a LoRA loaded with the verdict that is known of it, and a gate."""

from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ..core.ledger.known import LEDGER, Known
from ..core.verdict.part import IN_PART
from ..core.verdict.verdict import PASS
from .auditing.audit_inputs import gate_input, lora_input, strength_input
from .auditing.gate import blocker, closed_note, is_closed
from .auditing.known import known_of
from .auditing.request import require_number, wrong
from .backend import places
from .ui.schema import found_by
from .ui.wording import graph_words

UNKNOWN = "NOT AUDITED"
"""Stands for a verdict where none is known at this strength."""


class LoadAuditedLora(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_LoadAuditedLoRA",
            display_name="Load LoRA, audited (OWF)",
            category="OWF/load",
            description="Loads a LoRA as ComfyUI's own loader does and shows the verdict that is known of it: of an "
            "audit on this computer, of the note beside the file, or of its metadata. Nothing is measured.",
            inputs=[
                io.Model.Input("model", tooltip="The model that gets the LoRA."),
                io.Clip.Input("clip", optional=True, tooltip="The text encoder that gets it too."),
                lora_input("The LoRA to load."),
                strength_input("Strength for model and clip."),
                gate_input(),
            ],
            outputs=[
                io.Model.Output("tuned", display_name="model", tooltip="MODEL with the LoRA, unless it is stopped."),
                io.Clip.Output("tuned_text", display_name="clip", tooltip="CLIP with the LoRA, unless it is stopped."),
                io.String.Output("verdict", display_name="verdict", tooltip="What is known of it, or NOT AUDITED."),
            ],
        )
        return found_by(schema, "LoRA loader", "LoraLoader", "safe LoRA", "verdict")

    @classmethod
    def fingerprint_inputs(cls, lora: str, strength: float | None = 1.0, **others: Any) -> str:
        """Return what makes the node run again, and with it all that follows: another file, or another verdict."""
        path = places.lora_path(lora)
        known = None if strength is None else known_of(path, strength)[0]  # one that is linked has no value yet
        return f"{places.file_mark(path)} {known}"

    @classmethod
    def validate_inputs(cls, lora: str | None = None) -> bool | str:
        """Return what is wrong before anything is loaded; the value of a linked input is None, for it is not known."""
        return wrong(lambda: None if lora is None else places.lora_path(lora))

    @classmethod
    def execute(cls, model: Any, lora: str, strength: float, stop_graph: str, clip: Any = None) -> io.NodeOutput:
        """Load the file, and say what is known of it."""
        require_number("strength", strength)
        from .backend.change import patched
        from .backend.lora_file import lora_weights
        from .backend.model.denoiser import Pair

        with graph_words():
            path = places.lora_path(lora)
            known, notes = known_of(path, strength)
            tuned = patched(Pair(model, clip), lora_weights(path), strength)
        return answer(path, known, notes, tuned, stop_graph)


def answer(path: Path, known: Known | None, notes: list[str], tuned: Any, stop_graph: str) -> io.NodeOutput:
    """Return the node's outputs for a loaded file and what is known of it."""
    from .ui.panel import known_panel

    badge = UNKNOWN if known is None else _badge(known)
    model, clip = tuned.model, tuned.clip
    if is_closed(stop_graph, badge):
        model, clip = blocker(), blocker()
        notes = [closed_note(stop_graph), *notes]
    return io.NodeOutput(model, clip, badge, ui={"owf": [known_panel(path.name, badge, known, notes)]})


def _badge(known: Known) -> str:
    """Return what is shown of a verdict, and asked of the gate: PASS is of a whole audit on this computer."""
    if known.verdict != PASS:
        return known.verdict
    if known.by != LEDGER:
        return f"{PASS}, claimed"  # a stranger can write PASS into a file or beside it
    return IN_PART if known.unjudged else PASS
