"""A host whose job takes no notice of anything: python host_with_a_job.py MARK. It is ended from outside."""

import runpy
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it, and passes that on
    runpy.run_path(str(HERE.parents[1] / "conftest.py"))
    from owf.webui.jobs.job import Command, Job
    from owf.webui.jobs.runner import Runner, Turn

    Runner(Turn(), HERE / "fake_child.py").start(
        Job("audit", "a job", (Command(("audit", "stubborn", sys.argv[1]), ("lora",)),)), sys.executable
    )
    time.sleep(600)
