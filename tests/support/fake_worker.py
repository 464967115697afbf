"""A worker whose auditor measures nothing and does what a file's name says: python fake_worker.py OUT [LOG].

"hang" waits for ever, "die" ends the process, "die-once" its first try, "eat" takes memory until there is none,
"bug" raises, "bad" is refused, "slow" takes a second, "print" prints. Everything else gets the sample report.
"""

import os
import runpy
import sys
import time
from pathlib import Path


def main() -> int:
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "conftest.py"))
    sys.path.insert(0, str(Path(__file__).parent))
    import report_samples as samples
    from owf.core.batch.task import Outcome, measured
    from owf.core.batch.worker import serve

    out = Path(sys.argv[1])

    class Fake:
        def __init__(self, voice):
            self.voice = voice

        def audit(self, task):
            with (out / "log").open("a") as log:
                log.write(f"{task.name} {task.strength:g} {os.getpid()}\n")
            self.act(task.name, out / f"{task.name}.tried")
            folder = out / f"{task.path.stem}-{task.strength:g}"
            folder.mkdir(exist_ok=True)
            self.voice.total(5)
            for _ in range(5):
                self.voice.advance(1)
                time.sleep(0.3 if "slow" in task.name else 0)
                (folder / "samples").open("a").write("x")
                self.voice.kept()
            return Outcome("refused", "it is broken") if "bad" in task.name else measured(samples.report(), folder)

        def act(self, name, tried):
            first = not tried.exists()
            tried.touch()
            if "hang" in name:
                time.sleep(3600)
            if ("die-once" in name and first) or "die-always" in name:
                os.kill(os.getpid(), 9)
            if "eat" in name:
                import resource

                resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
                _ = bytearray(2**32)  # refused as a whole, before any of it is touched
            if "bug" in name:
                raise KeyError("nobody expected this")
            if "print" in name:
                print("a library prints to stdout")

    return serve(Fake)


if __name__ == "__main__":
    sys.exit(main())
