"""OWF_StrengthSweep: one LoRA at several strengths, and the largest that passes."""

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from .auditing.audit_inputs import (
    base_inputs,
    detail_inputs,
    limit_inputs,
    lora_input,
    plan_inputs,
    probe_folder_input,
)
from .auditing.request import AUTO, audit_request, limits_wrong, wrong
from .auditing.run import NodeAudits, Question
from .auditing.strengths import STRENGTHS, strengths_from
from .auditing.upstream import base_of
from .backend import places
from .ui.progress import NodeProgress
from .ui.schema import found_by
from .ui.wording import graph_words

if TYPE_CHECKING:
    from ..core.batch.driver import Done


class StrengthSweep(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_StrengthSweep",
            display_name="Sweep strengths (OWF)",
            category="OWF/audit",
            description="Audits one LoRA at several strengths: a curve for every number that has a limit, and the "
            "largest strength that passes.",
            inputs=[
                *base_inputs(),
                lora_input("The LoRA to audit."),
                io.String.Input("strengths", default=STRENGTHS, tooltip="Strengths with commas between."),
                *plan_inputs(),
                probe_folder_input(),
                *limit_inputs(),
                *detail_inputs(),
            ],
            outputs=[
                io.Float.Output(
                    "largest",
                    display_name="largest strength",
                    tooltip="The largest strength that passes, with all smaller ones; 0 where none does.",
                ),
                io.String.Output("text", display_name="text", tooltip="A line for each strength."),
                io.Image.Output("chart", display_name="chart", tooltip="The charts as a picture."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            is_output_node=True,
        )
        return found_by(schema, "LoRA weight", "best strength", "XY plot", "multiplier")

    @classmethod
    def fingerprint_inputs(cls, lora: str, probe_folder: str = "", **others: Any) -> str:
        """Return what makes the node run again: another file under the same name, other images in the folder."""
        file = places.file_mark(places.lora_path(lora))
        return file + places.input_mark(probe_folder)

    @classmethod
    def validate_inputs(
        cls,
        lora: str | None = None,
        strengths: str | None = None,
        metrics: str | None = "",
        policy: str | None = "",
    ) -> bool | str:
        """Return what is wrong before anything is loaded; the value of a linked input is None, for it is not known."""
        found = wrong(
            lambda: None if lora is None else places.lora_path(lora),
            lambda: None if strengths is None else strengths_from(strengths),
        )
        return limits_wrong(metrics, policy) if found is True else found

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        lora: str,
        strengths: str,
        preset: str,
        audit_seed: int,
        probe_folder: str = "",
        policy: str = "",
        metrics: str = "",
        per_class: int = 0,
        resolution: int = 0,
        guidance_scale: float = 0.0,
        features: str = AUTO,
    ) -> io.NodeOutput:
        """Run the audits."""
        from .auditing.many import audit_many
        from .backend.model.denoiser import Pair

        progress = NodeProgress(cls.hidden.unique_id)
        with graph_words():
            asked = audit_request(
                preset, audit_seed, metrics, per_class, resolution, guidance_scale, features, probe_folder
            )
            base = base_of(cls.hidden.prompt, cls.hidden.unique_id)
            audits = NodeAudits(Pair(model, clip), vae, Question(asked, policy, base=base), progress)
            return answer(lora, audit_many([lora], strengths_from(strengths), audits, progress))


def answer(lora: str, done: "list[Done]") -> io.NodeOutput:
    """Return the node's outputs for one LoRA at several strengths."""
    from ..core.ledger.sweep import largest_passing, passing
    from .backend.images import from_pictures
    from .ui.table import row_line, sweep_chart, sweep_panel

    rows = [each.row for each in done]
    verdicts = [(row.strength, row.verdict) for row in rows]
    passes, said = passing(verdicts), largest_passing(verdicts)
    sentence = f"{said[:1].upper()}{said[1:]}"
    if any(row.unjudged for row in rows):
        sentence += " What passes here passes in part."
    lines = [row_line(row, f"strength {row.strength:g}") for row in rows]
    text = "\n".join([sentence, *(f"{line['name']}: {line['badge']}. {line['reason']}" for line in lines)])
    picture = sweep_chart(lora, sentence, [(each.row.strength, each.report) for each in done])
    panel = sweep_panel(lora, sentence, lines, rows)
    return io.NodeOutput(passes[-1] if passes else 0.0, text, from_pictures([picture]), ui={"owf": [panel]})
