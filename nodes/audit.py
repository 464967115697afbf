"""OWF_DriftAudit: what a LoRA, or anything else the graph did to MODEL, made it forget."""

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..core.datasets.dataset import layouts
from ..core.metrics.images.network_names import FEATURES
from ..core.metrics.metric import all_metrics
from ..core.plan.presets import METRICS, PRESETS
from .backend import places
from .request import AUTO, audit_request
from .run import AuditResult, Probes, Tuned, run_audit
from .ui.progress import NodeProgress
from .ui.wording import graph_words, in_graph

if TYPE_CHECKING:
    from ..core.verdict.report import Report

GATES = ("never", "on DRIFT or INVALID", "unless PASS")
"""When the outputs `model` and `clip` stop whatever is connected to them."""
_STOPS = {GATES[0]: (), GATES[1]: ("DRIFT", "INVALID"), GATES[2]: ("DRIFT", "INVALID", "INCONCLUSIVE")}


class DriftAudit(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="OWF_DriftAudit",
            display_name="Audit drift (OWF)",
            category="OWF",
            description="Measures what a LoRA, or anything else that was done to MODEL, made it forget: "
            "PASS, DRIFT, INCONCLUSIVE or INVALID, with confidence intervals and noise floors.",
            inputs=[*_models(), *_plan(), *_options()],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, lora: str = places.NONE, probe_folder: str = "", **others: Any) -> str:
        """Return what makes the node run again: another file under the same name, other images in the folder."""
        file = "" if lora == places.NONE else places.file_mark(places.lora_path(lora))
        return file + (places.folder_mark(places.input_folder(probe_folder)) if probe_folder else "")

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
    ) -> io.NodeOutput:
        """Run the audit."""
        from .backend.model.denoiser import Pair

        progress = NodeProgress(cls.hidden.unique_id)
        tuned = Tuned(lora, strength, tuned_model, tuned_clip)
        probes = Probes(probe_images, probe_labels, probe_folder)
        with graph_words():
            asked = audit_request(preset, audit_seed, metrics, per_class, guidance_scale, features, probe_folder)
            result = run_audit(Pair(model, clip), vae, tuned, asked, probes, policy, resolution, progress)
        return answer(result, stop_graph)


def answer(result: AuditResult, stop_graph: str) -> io.NodeOutput:
    """Return a node's outputs for an audit's result."""
    from ..core.verdict.report import to_json
    from .ui.panel import report_panel

    report, decision = result.report, result.report.verdict.decision
    model, clip = result.tuned.model, result.tuned.clip
    if decision in _STOPS[stop_graph]:
        model = _blocker(f"The drift audit said {decision}: {' '.join(report.verdict.worded(in_graph)[:1])}")
        clip = _blocker(None)  # every node it reaches would repeat the message
    images = report_images(result)
    panel = report_panel(report, result.folder)
    return io.NodeOutput(decision, to_json(report), *images, model, clip, ui={"owf": [panel]})


def report_images(result: AuditResult) -> tuple[Any, Any, Any]:
    """Return the chart sheet, and the base's and the tuned model's images, most changed first."""
    from .backend.images import from_pictures, read_pictures

    sheet = from_pictures([report_sheet(result.report)])
    pairs = result.report.pairs
    if not pairs:
        return sheet, _blocker(None), _blocker(None)
    return (
        sheet,
        read_pictures(result.folder / pair.base for pair in pairs),
        read_pictures(result.folder / pair.tuned for pair in pairs),
    )


def report_sheet(report: "Report") -> Any:
    """Return the charts of a report as a picture."""
    from ..core.render.bars import bars
    from ..core.render.pictures.sheet import chart_sheet
    from .ui.panel import reasons

    title = f"{report.adapter.name} on {report.base.name}"
    return chart_sheet(title, report.verdict.decision, reasons(report), bars(report))


def _blocker(message: str | None) -> Any:
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(message)


def _models() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The base: what is compared against."),
        io.Clip.Input("clip"),
        io.Vae.Input("vae"),
        io.Combo.Input("lora", options=places.lora_choices(), default=places.NONE, tooltip="The LoRA to audit."),
        io.Float.Input("strength", default=1.0, min=-10.0, max=10.0, step=0.01, round=0.001),
    ]


def _plan() -> list[io.Input]:
    return [
        io.Combo.Input("preset", options=list(PRESETS), default="quick", tooltip="How much is measured."),
        io.Int.Input("audit_seed", default=0, min=0, max=2**31 - 1, tooltip="Seed of all noise."),
        io.Combo.Input(
            "stop_graph",
            options=list(GATES),
            default=GATES[0],
            tooltip="When the outputs model and clip stop whatever is connected to them.",
        ),
    ]


def _options() -> list[io.Input]:
    tuned = "Instead of a LoRA by name: the model after whatever the graph did to it."
    folder = f"Labelled images: a folder below ComfyUI's input folder. Its layout: {layouts()}."
    toml = "Limits as in a policy file: [[limit]] tables in TOML. Empty: the default limits."
    return [
        io.Model.Input("tuned_model", optional=True, tooltip=tuned),
        io.Clip.Input("tuned_clip", optional=True, tooltip=tuned),
        io.Image.Input("probe_images", optional=True, tooltip="Labelled images that both models classify."),
        io.String.Input(
            "probe_labels", optional=True, default="", multiline=True, tooltip="Class of each probe image."
        ),
        io.String.Input("probe_folder", optional=True, default="", tooltip=folder),
        io.String.Input("policy", optional=True, default="", multiline=True, tooltip=toml),
        io.String.Input("metrics", optional=True, default="", tooltip=_metrics_tip()),
        io.Int.Input("per_class", optional=True, default=0, min=0, max=10000, tooltip="0: as the preset says."),
        io.Int.Input(
            "resolution", optional=True, default=0, min=0, max=4096, tooltip="0: what the family is made for."
        ),
        io.Float.Input(
            "guidance_scale",
            optional=True,
            default=0.0,
            min=0.0,
            max=30.0,
            step=0.1,
            round=0.01,
            tooltip="0: as usual for the model. 1 turns guidance off, as distilled models want it.",
        ),
        io.Combo.Input("features", optional=True, options=[AUTO, *FEATURES], default=AUTO),
    ]


def _metrics_tip() -> str:
    return f"Some of {', '.join(metric.name for metric in all_metrics())}; empty: {', '.join(METRICS)}."


def _outputs() -> list[io.Output]:
    return [
        io.String.Output("verdict", display_name="verdict"),
        io.String.Output("report", display_name="report"),
        io.Image.Output("sheet", display_name="sheet"),
        io.Image.Output("base_images", display_name="base images"),
        io.Image.Output("tuned_images", display_name="tuned images"),
        io.Model.Output("tuned", display_name="model"),
        io.Clip.Output("tuned_text", display_name="clip"),
    ]
