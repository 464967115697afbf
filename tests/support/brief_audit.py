"""`owf-audit` of a general base on few prompts, in a process of its own: python brief_audit.py ARGUMENTS."""

import dataclasses
import runpy
import sys
from pathlib import Path
from typing import Any

METRICS = "denoiser_drift,color_shift"
"""What is measured: what needs no other network, nor a base that was trained."""


def shorten(presets: Any) -> None:
    """Let the quick preset ask an eighth of its prompts, of the module that has it."""
    plan = presets.quick_plan()
    brief = dataclasses.replace(plan, prompts=plan.prompts[::8], classes=plan.classes[:4], drift_timesteps=4)
    presets.PRESETS["quick"] = lambda: brief


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.cli.audit import main
    from owf.core.plan import presets

    shorten(presets)
    sys.exit(main(sys.argv[1:]))
