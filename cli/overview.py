"""The table at the end of an audit of many LoRAs."""

import argparse
import json
from typing import TYPE_CHECKING

from ..core.text import inert

if TYPE_CHECKING:
    from ..core.report import Report

_STYLES = {"PASS": "green", "DRIFT": "bold red", "INCONCLUSIVE": "yellow", "INVALID": "magenta"}


def print_overview(decisions: "list[tuple[str, str, Report | str]]", options: argparse.Namespace) -> None:
    """Print one line per LoRA: verdict, headline numbers, or why it could not be audited."""
    if options.progress == "json":
        for name, decision, _ in decisions:
            print(json.dumps({"event": "verdict", "lora": inert(name), "verdict": decision}), flush=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("LoRA", "verdict", "reason")
    for name, decision, report in decisions:
        reason = report if isinstance(report, str) else (*report.verdict.reasons, "")[0]
        table.add_row(Text(inert(name, 60)), Text(decision, style=_STYLES[decision]), Text(inert(reason, 300)))
    Console().print(table)
