"""A driver with fake workers on a local Ray cluster: python run_ray.py FOLDER NUMBER [kill], into FOLDER/out.

With "kill", the actor that began the last file is killed once.
"""

import functools
import os
import runpy
import signal
import sys
from pathlib import Path


def command(out: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("fake_worker.py")), out]


def parent(pid: str) -> int:
    """Return the process that started a process: of a worker, its actor."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    import ray  # pyright: ignore[reportMissingImports]
    from owf.core.batch.driver import Driver
    from owf.core.batch.ray_workers import RayWorkers
    from owf.core.batch.rows import Asked
    from owf.core.batch.task import Listener, Task
    from owf.core.disk.digests import Digests
    from owf.core.ledger.ledger import Ledger
    from owf.core.verdict.policy import default_policy

    folder, size, kill = Path(sys.argv[1]), int(sys.argv[2]), "kill" in sys.argv[3:]
    out = folder / "out"
    out.mkdir(exist_ok=True)
    tasks = [Task(path, path.name) for path in sorted((folder / "loras").iterdir())]
    workers = RayWorkers("local", functools.partial(command, str(out)), size)
    with Ledger(out / "ledger.sqlite") as ledger:
        driver = Driver(ledger, Asked("ask", default_policy()), Digests(folder / "cache"), lambda report, place: None)
        for done in driver.run(tasks, workers, Listener()):
            print(done.task.name, flush=True)
            if kill:
                os.kill(parent((out / "log").read_text().split()[-1]), signal.SIGKILL)
                kill = False
    ray.shutdown()
