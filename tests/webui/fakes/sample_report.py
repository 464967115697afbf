"""Write a report with pictures as an audit would: python sample_report.py FOLDER."""

import dataclasses
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    runpy.run_path(str(HERE.parents[1] / "conftest.py"))
    sys.path.insert(0, str(HERE.parents[1] / "support"))
    from owf.core.render.html.html import write_html
    from owf.core.verdict.report import write_report
    from report_samples import draw_pairs, report

    folder = Path(sys.argv[1]) / "sample"
    folder.mkdir(parents=True, exist_ok=True)
    found = report(draw_pairs(folder, 3))
    found = dataclasses.replace(found, plan={**found.plan, "sampling_steps": 20, "guidance_scale": 7.5})
    write_report(found, folder / "report.json")
    write_html(found, folder)
