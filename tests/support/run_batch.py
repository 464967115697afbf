"""A driver with fake workers: python run_batch.py FOLDER NUMBER, over files of that folder, into FOLDER/out."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    from owf.core.batch.driver import Driver
    from owf.core.batch.processes import LocalWorkers
    from owf.core.batch.rows import Asked
    from owf.core.batch.task import Listener, Task
    from owf.core.disk.digests import Digests
    from owf.core.disk.lock import only_one
    from owf.core.ledger.ledger import Ledger
    from owf.core.verdict.policy import default_policy

    folder, size = Path(sys.argv[1]), int(sys.argv[2])
    out = folder / "out"
    out.mkdir(exist_ok=True)
    tasks = [Task(path, path.name) for path in sorted((folder / "loras").iterdir())]
    workers = LocalWorkers([sys.executable, str(Path(__file__).with_name("fake_worker.py")), str(out)], size)
    with only_one(out, ".run.lock"), Ledger(out / "ledger.sqlite") as ledger:
        driver = Driver(ledger, Asked("ask", default_policy()), Digests(folder / "cache"), lambda report, place: None)
        for done in driver.run(tasks, workers, Listener()):
            print(done.task.name, flush=True)
