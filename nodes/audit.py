"""OWF_DriftAudit: what a LoRA, or anything else the graph did to MODEL, made it forget."""

import logging
from typing import Any

from comfy_api.latest import io

from ..core.text import inert
from .auditing.audit_inputs import (
    base_inputs,
    concept_inputs,
    detail_inputs,
    gate_input,
    limit_inputs,
    plan_inputs,
    probe_folder_input,
    strength_input,
)
from .auditing.gate import blocker, closed_note, is_closed
from .auditing.request import (
    AUTO,
    NOT_LINKED,
    audit_request,
    compared,
    limits_wrong,
    require_number,
    require_one_source,
    wrong,
)
from .auditing.run import AuditResult, Probes, Question, Tuned, run_audit
from .auditing.shown import remembered, report_images
from .auditing.upstream import base_of, loras_between
from .backend import places
from .ui.progress import NodeProgress
from .ui.schema import folded, found_by, verdict_output
from .ui.wording import graph_words


class DriftAudit(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_DriftAudit",
            display_name="Audit drift (OWF)",
            category="OWF/audit",
            description="Measures what a LoRA, or anything else that was done to MODEL, made it forget: "
            "PASS, DRIFT, INCONCLUSIVE or INVALID, with confidence intervals and noise floors.",
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            is_output_node=True,
        )
        return found_by(schema, "test LoRA", "evaluate LoRA", "forgetting", "quality", "compare models", "KID", "CDI")

    @classmethod
    def fingerprint_inputs(
        cls, lora: str = places.NONE, probe_folder: str = "", references: str = "", **others: Any
    ) -> str:
        """Return what makes the node run again: another file under the same name, other images in the folders."""
        file = "" if lora == places.NONE else places.file_mark(places.lora_path(lora))
        return file + places.input_mark(probe_folder) + places.input_mark(references)

    @classmethod
    def validate_inputs(
        cls,
        lora: str | None = places.NONE,
        tuned_model: Any = NOT_LINKED,
        tuned_clip: Any = NOT_LINKED,
        metrics: str | None = "",
        policy: str | None = "",
    ) -> bool | str:
        """Return what is wrong before anything is loaded; the value of a linked input is None, for it is not known."""
        if lora is None:
            return limits_wrong(metrics, policy)
        by_name, from_graph = lora != places.NONE, tuned_model is not NOT_LINKED or tuned_clip is not NOT_LINKED
        source = wrong(
            lambda: require_one_source(by_name, from_graph), lambda: None if from_graph else places.lora_path(lora)
        )
        return limits_wrong(metrics, policy) if source is True else source

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        lora: str,
        strength: float,
        preset: str,
        audit_seed: int,
        stop_graph: str,
        tuned_model: Any = None,
        tuned_clip: Any = None,
        probe_images: Any = None,
        probe_labels: str = "",
        probe_folder: str = "",
        policy: str = "",
        metrics: str = "",
        per_class: int = 0,
        resolution: int = 0,
        guidance_scale: float = 0.0,
        features: str = AUTO,
        concept: str = "",
        references: str = "",
        open_clip: str = "",
    ) -> io.NodeOutput:
        """Run the audit."""
        from .backend.model.denoiser import Pair

        progress = NodeProgress(cls.hidden.unique_id)
        tuned = Tuned(lora, strength, tuned_model, tuned_clip, loras_between(cls.hidden.prompt, cls.hidden.unique_id))
        probes = Probes(probe_images, probe_labels, probe_folder)
        with graph_words():
            require_number("strength", strength)
            asked = audit_request(
                preset, audit_seed, metrics, per_class, resolution, guidance_scale, features, probe_folder
            )
            asked = compared(asked, concept, references, open_clip)
            base = base_of(cls.hidden.prompt, cls.hidden.unique_id)
            question = Question(asked, policy, probes, base)
            result = run_audit(Pair(model, clip), vae, tuned, question, progress)
        return answer(result, stop_graph)


def answer(result: AuditResult, stop_graph: str) -> io.NodeOutput:
    """Return a node's outputs for an audit's result."""
    from ..core.verdict.part import shown_verdict
    from ..core.verdict.report import to_json
    from .ui.panel import report_panel

    report = result.report
    model, clip, notes = result.tuned.model, result.tuned.clip, list(remembered(result))
    shown = shown_verdict(report)
    if is_closed(stop_graph, shown):
        model, clip = blocker(), blocker()
        notes.append(closed_note(stop_graph))
        logging.warning("OWF: %s said %s. %s", inert(report.adapter.name), shown, notes[-1])
    images = report_images(result)
    panel = report_panel(report, result.folder, notes)
    return io.NodeOutput(shown, to_json(report), *images, model, clip, ui={"owf": [panel]})


def _inputs() -> list[io.Input]:
    tuned = "Instead of a LoRA by name: the model after whatever the graph did to it."
    return [
        *base_inputs(),
        io.Combo.Input("lora", options=places.lora_choices(), default=places.NONE, tooltip="The LoRA to audit."),
        strength_input("Strength at which the LoRA is audited."),
        *plan_inputs(),
        gate_input(),
        io.Model.Input("tuned_model", optional=True, tooltip=tuned),
        io.Clip.Input("tuned_clip", optional=True, tooltip="The text encoder that belongs to tuned_model."),
        io.Image.Input("probe_images", optional=True, tooltip="Labelled images that both models classify."),
        folded(
            io.String,
            "probe_labels",
            optional=True,
            default="",
            multiline=True,
            tooltip="Class of each probe image, with commas between.",
        ),
        probe_folder_input(),
        *limit_inputs(),
        *detail_inputs(),
        *concept_inputs(),
    ]


def _outputs() -> list[io.Output]:
    return [
        verdict_output(),
        io.String.Output("report", display_name="report", tooltip="The whole report as JSON."),
        io.Image.Output("sheet", display_name="sheet", tooltip="The charts as a picture."),
        io.Image.Output("base_images", display_name="base images", tooltip="What the base draws, most changed first."),
        io.Image.Output(
            "tuned_images", display_name="tuned images", tooltip="What the tuned model draws, in the same order."
        ),
        io.Model.Output("tuned", display_name="model", tooltip="MODEL as it was judged; stop_graph may stop it."),
        io.Clip.Output("tuned_text", display_name="clip", tooltip="CLIP as it was judged; stop_graph may stop it."),
    ]
