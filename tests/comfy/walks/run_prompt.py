"""Executes a prompt, with these of ComfyUI's extra nodes."""

from prelude import GIVEN, answer, run, start

start(tuple(GIVEN["extras"]))
executor = run(GIVEN["prompt"])
sent = executor.server.sent
answer(
    success=executor.success,
    outputs=executor.history_result["outputs"],
    errors=[data["exception_message"] for event, data in sent if event == "execution_error"],
    progress=sum(event == "owf.progress" for event, _ in sent),
)
