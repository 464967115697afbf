"""OWF_FolderAudit: many LoRAs on one base, ranked, and kept in the ledger."""

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from .auditing.audit_inputs import (
    base_inputs,
    detail_inputs,
    limit_inputs,
    plan_inputs,
    probe_folder_input,
    strength_input,
)
from .auditing.request import AUTO, audit_request, limits_wrong, require_number, wrong
from .auditing.run import NodeAudits, Question
from .auditing.upstream import base_of
from .backend import places
from .ui.progress import NodeProgress
from .ui.schema import found_by
from .ui.wording import graph_words

if TYPE_CHECKING:
    from ..core.batch.driver import Done


class FolderAudit(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_FolderAudit",
            display_name="Audit many LoRAs (OWF)",
            category="OWF/audit",
            description="Audits every LoRA of a folder or list on one base, ranks them, and keeps what it found in "
            "output/owf: what is there is not measured again.",
            inputs=[
                *base_inputs(),
                io.String.Input(
                    "loras",
                    default="",
                    multiline=True,
                    tooltip="LoRAs or folders of ComfyUI's list, one a line; * stands for anything. Empty: all.",
                ),
                strength_input("Strength at which the LoRA is audited."),
                *plan_inputs(),
                probe_folder_input(),
                *limit_inputs(),
                *detail_inputs(),
            ],
            outputs=[
                io.String.Output("ranking", display_name="ranking", tooltip="A line for each LoRA, the worst first."),
                io.String.Output(
                    "passed", display_name="passed", tooltip="The LoRAs that pass a whole audit, one a line."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            is_output_node=True,
        )
        return found_by(schema, "batch", "folder", "compare LoRAs", "leaderboard", "LoRA list")

    @classmethod
    def fingerprint_inputs(cls, loras: str | None = "", probe_folder: str = "", **others: Any) -> str:
        """Return what makes the node run again: other files under these names, other images in the folder."""
        marks = [name + places.file_mark(places.lora_path(name)) for name in places.loras_named(loras or "")]
        return "|".join(marks) + places.input_mark(probe_folder)

    @classmethod
    def validate_inputs(cls, loras: str | None = None, metrics: str | None = "", policy: str | None = "") -> bool | str:
        """Return what is wrong before anything is loaded; the value of a linked input is None, for it is not known."""
        found = wrong(lambda: None if loras is None else places.loras_named(loras))
        return limits_wrong(metrics, policy) if found is True else found

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        loras: str,
        strength: float,
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
            require_number("strength", strength)
            names = places.loras_named(loras)
            asked = audit_request(
                preset, audit_seed, metrics, per_class, resolution, guidance_scale, features, probe_folder
            )
            base = base_of(cls.hidden.prompt, cls.hidden.unique_id)
            audits = NodeAudits(Pair(model, clip), vae, Question(asked, policy, base=base), progress)
            return answer(audit_many(names, [strength], audits, progress), audits.base.name)


def answer(done: "list[Done]", base: str) -> io.NodeOutput:
    """Return the node's outputs for many LoRAs."""
    from ..core.ledger.rank import worst_first
    from ..core.verdict.verdict import PASS
    from .ui.table import ranking_panel, row_line

    rows = worst_first(each.row for each in done)
    lines = [row_line(row, row.name) for row in rows]
    text = "\n".join(f"{line['badge']}: {line['name']}. {line['reason']}" for line in lines)
    panel = ranking_panel(base, lines, rows, sum(each.is_known for each in done))
    passed = [row.name for row in rows if row.verdict == PASS and not row.unjudged]
    return io.NodeOutput(text, "\n".join(passed), ui={"owf": [panel]})
