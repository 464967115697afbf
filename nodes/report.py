"""OWF_LoadReport and OWF_ShowReport: an earlier audit opened in the graph."""

from comfy_api.latest import io

from .backend import places
from .ui.schema import found_by, verdict_output
from .ui.wording import graph_words

NO_REPORT = "(no report yet)"


class LoadReport(io.ComfyNode):
    """The node that reads a report below ComfyUI's output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_LoadReport",
            display_name="Load report (OWF)",
            category="OWF/load",
            description="Opens an earlier audit from output/owf.",
            inputs=[
                io.Combo.Input(
                    "name", options=places.report_choices() or [NO_REPORT], tooltip="The report, the newest first."
                )
            ],
            outputs=[
                io.String.Output("report", display_name="report", tooltip="The whole report as JSON."),
                verdict_output(),
                io.Image.Output("sheet", display_name="sheet", tooltip="The charts as a picture."),
            ],
        )
        return found_by(schema, "open audit", "earlier audit", "audit history")

    @classmethod
    def fingerprint_inputs(cls, name: str) -> str:
        """Return what makes the node run again: another report in the same place."""
        return places.file_mark(places.report_file(name))

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        """Read it."""
        from ..core.verdict.part import shown_verdict
        from ..core.verdict.report import read_report
        from .auditing.shown import report_sheet
        from .backend.images import from_pictures

        with graph_words():
            path = places.report_file(name)
            report = read_report(path)
        sheet = from_pictures([report_sheet(report)])
        return io.NodeOutput(path.read_text(encoding="utf-8"), shown_verdict(report), sheet)


class ShowReport(io.ComfyNode):
    """The node that shows a report's panel."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_ShowReport",
            display_name="Show report (OWF)",
            category="OWF/audit",
            description="Shows a report as its audit did: verdict, intervals, image pairs, and the full HTML page.",
            inputs=[io.String.Input("report", force_input=True, tooltip="The report output of an audit or a loader.")],
            outputs=[
                io.String.Output(
                    "text", display_name="verdict and reasons", tooltip="The verdict and its reasons, one a line."
                )
            ],
            is_output_node=True,
        )
        return found_by(schema, "view audit", "audit panel", "audit result")

    @classmethod
    def execute(cls, report: str) -> io.NodeOutput:
        """Write it out anew, so that its page is there, and show it."""
        from ..core.verdict.outcome import outcome, summary
        from .auditing.shown import opened
        from .ui.panel import report_panel

        with graph_words():
            found, folder = opened(report, "the report input")
        learned = () if found.learning is None else (summary(found), *found.learning.reasons)
        text = "\n".join([outcome(found), *learned, *found.verdict.reasons])
        return io.NodeOutput(text, ui={"owf": [report_panel(found, folder)]})
