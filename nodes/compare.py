"""OWF_CompareAudits: two audits of one base beside each other, number by number and picture by picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comfy_api.latest import io

from .ui.schema import found_by
from .ui.wording import graph_words

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.verdict.report import Report

NEITHER = "neither"
"""Stands for the milder LoRA where none is shown to be."""
_INPUTS = ("report_a", "report_b")


class CompareAudits(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_CompareAudits",
            display_name="Two LoRAs side by side (OWF)",
            category="OWF/audit",
            description="Holds two audits of one base against each other: every number of both with the difference of "
            "the same prompts, the same pictures beside each other, and which LoRA is the milder.",
            inputs=[
                io.String.Input(name, force_input=True, tooltip=f"The report output of an audit or a loader: {letter}.")
                for name, letter in zip(_INPUTS, "AB", strict=True)
            ],
            outputs=[
                io.String.Output(
                    "milder",
                    display_name="milder",
                    tooltip="The name of the milder LoRA, or neither where none is shown.",
                ),
                io.String.Output(
                    "text", display_name="text", tooltip="Which is milder and why, and a line for each number."
                ),
            ],
            is_output_node=True,
        )
        return found_by(schema, "compare LoRAs", "A/B test", "which LoRA is better", "difference")

    @classmethod
    def execute(cls, report_a: str, report_b: str) -> io.NodeOutput:
        """Compare them."""
        from ..core.errors import UsageError
        from ..core.verdict.comparison import incomparable
        from .auditing.shown import opened

        with graph_words():
            found = [
                opened(text, f"the {name} input") for name, text in zip(_INPUTS, (report_a, report_b), strict=True)
            ]
            if refusal := incomparable([report for report, _ in found], _INPUTS):
                raise UsageError(refusal)
            return answer(*zip(*found, strict=True))


def answer(reports: "Sequence[Report]", folders: "Sequence[Path]") -> io.NodeOutput:
    """Return the node's outputs for two reports that can be compared, and the folders in which they lie."""
    from ..core.render.audited import Audited, headlines
    from ..core.render.compared import number_lines, told
    from ..core.render.html.overview.overview import write_overview
    from ..core.verdict.comparison import compare
    from .backend import places
    from .ui.compared import compared_panel

    names = named_apart(reports)
    comparison = compare(reports, headlines(reports))
    audits = [Audited(*each) for each in zip(names, reports, folders, strict=True)]
    # Not beside the reports' folders, so that it links to none: a page opens in a frame that cannot follow a link.
    page = write_overview(audits, places.reports_folder() / "side_by_side")
    sentence = told(comparison, names)
    panel = compared_panel(audits, comparison, sentence, page)
    milder = NEITHER if comparison.milder is None else names[comparison.milder]
    text = "\n".join([sentence, *number_lines(comparison, reports)])
    return io.NodeOutput(milder, text, ui={"owf": [panel]})


def named_apart(reports: "Sequence[Report]") -> list[str]:
    """Return a name for each of two reports, with what tells them apart: one file may be audited at two strengths."""
    from ..core.text import inert

    names = [inert(report.adapter.name.removesuffix(".safetensors"), 60) or "LoRA" for report in reports]
    if len(set(names)) == 1:
        names = [f"{name} at {report.adapter.strength:g}" for name, report in zip(names, reports, strict=True)]
    if len(set(names)) == 1:
        names = [f"{name} ({letter})" for name, letter in zip(names, "AB", strict=True)]
    return names
