"""OWF_InspectLoRA: what is in a LoRA file, as text and as a heat map."""

from typing import Any

from comfy_api.latest import io

from .backend import places
from .ui.schema import found_by
from .ui.wording import graph_words


class InspectLora(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_InspectLoRA",
            display_name="Inspect LoRA (OWF)",
            category="OWF/inspect",
            description="What is in a LoRA file: format, algorithm, base family, rank, trigger words, heat map.",
            inputs=[
                io.Combo.Input(
                    "lora",
                    options=places.lora_choices()[1:],
                    default=places.DEMO,
                    tooltip="The file; no base model is needed.",
                )
            ],
            outputs=[
                io.String.Output(
                    "text", display_name="text", tooltip="What is in the file, and what it says of itself."
                ),
                io.Image.Output("heat_map", display_name="heat map", tooltip="Where in the network the change sits."),
                io.String.Output("trigger", display_name="trigger words", tooltip="Words that call what was learned."),
            ],
            is_output_node=True,
        )
        return found_by(schema, "LoRA info", "LoRA metadata", "trigger words", "rank", "block weights")

    @classmethod
    def fingerprint_inputs(cls, lora: str) -> str:
        """Return what makes the node run again: another file under the same name."""
        return places.file_mark(places.lora_path(lora))

    @classmethod
    def execute(cls, lora: str) -> io.NodeOutput:
        """Read the file; no base model is needed."""
        from ..core.adapter.summary import summarise
        from ..core.render.inspection import summary_heat_map, summary_lines
        from ..core.render.pictures.sheet import heat_sheet
        from .backend.images import from_pictures
        from .backend.lora_file import read_lora, reading

        with graph_words(), reading(places.lora_path(lora)):
            summary = summarise(read_lora(lora))
        lines = [(label, value) for label, value in summary_lines(summary) if value]
        text = "\n".join([summary.file, *(f"{label}: {value}" for label, value in lines), *_notes(summary)])
        picture = heat_sheet(summary.file, summary_heat_map(summary.blocks))
        panel = {"kind": "facts", "title": summary.file, "lines": lines, "notes": _notes(summary)[:6]}
        return io.NodeOutput(text, from_pictures([picture]), ", ".join(summary.trigger_words), ui={"owf": [panel]})


def _notes(summary: Any) -> list[str]:
    return [f"cannot be audited: {problem}" for problem in summary.problems] + [
        f"warning: {warning}" for warning in summary.warnings
    ]
