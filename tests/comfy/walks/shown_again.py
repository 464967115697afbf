"""Executes a prompt that audits, and one that loads and shows its report."""

from prelude import GIVEN, HOME, answer, run, start

start(("nodes_preview_any.py",))


def outputs(prompt):
    executor = run(prompt)
    failed = [data["exception_message"] for event, data in executor.server.sent if event == "execution_error"]
    assert executor.success and not failed, failed
    return executor.history_result["outputs"]


first = outputs(GIVEN["prompt"])
(report,) = (HOME / "output" / "owf").glob("*/report.json")
load = {"class_type": "OWF_LoadReport", "inputs": {"name": report.parent.name}}
shown = {"class_type": "OWF_ShowReport", "inputs": {"report": ["1", 0]}}
second = outputs({"1": load, "2": shown, "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}}})
answer(first=first, second=second, folders=len(list((HOME / "output" / "owf").glob("*/report.html"))))
