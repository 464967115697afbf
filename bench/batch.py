"""What runs over many LoRAs must hold, on the demo base: `python bench/batch.py OUT --count 200`.

Each step keeps what it found in OUT/results.json and is not done again; the run over all LoRAs goes on where it was.
Prints a line for each thing that must hold, with what was measured, and ends with 1 where one does not. For Linux.
`--only run,early` does some of the steps, and `--count 20` is a first look.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from batches import loras, runs
from batches.checks import Held, differing, limit, none, synthetic, timed_in_chromium
from batches.runs import audit, command, orphans, reports, rows, same, watched
from owf.core.ledger.row import COMPLETE, REFUSED, UNMEASURABLE, Row
from owf.core.verdict.verdict import DRIFT, INVALID

KILLS, KILLED_LORAS = 20, 12
"""Processes that are killed at random moments, and LoRAs of the run that they do it to."""
MB = 2**20


class Bench:
    """The steps, in a folder."""

    def __init__(self, out: Path, seed: int, options: argparse.Namespace) -> None:
        self.out, self.random = out, random.Random(seed)
        self.workers, self.metrics, self.browser = options.workers, options.metrics, options.browser
        self.loras, self.cache = out / "loras", out / "cache"
        self.kinds = loras.make(self.loras, options.count, seed)

    def run(self) -> list[Held]:
        """Every LoRA: its row, its cost, memory and the driver's share of the time."""
        where = self.out / "run"
        seen = watched(self._audit(self.loras, where, self.cache, "--workers", self.workers), where)
        found = {row.name: row for row in rows(where)}
        costs = [row.seconds for row in sorted(found.values(), key=lambda r: r.started) if row.status == COMPLETE]
        growth = grown(seen.memory) / MB
        return [
            none("LoRAs without a row, or rows without a LoRA", sorted(set(self.kinds) ^ set(found))),
            none("rows that are wrong", [name for name, row in found.items() if wrong(row, self.kinds.get(name, ""))]),
            none("LoRAs with two rows", [n for n, times in Counter(r.name for r in rows(where)).items() if times > 1]),
            none("orphan files", orphans(where)),
            limit("a further LoRA over the first", statistics.median(costs[1:]) / costs[0], 0.4),
            limit("growth of a worker's peak from the 10th LoRA on", growth, 50, " MB"),
            limit("processor time of the driver over the wall time", seen.driver / seen.wall, 0.05),
        ]

    def early(self) -> list[Held]:
        """Decided early: equal verdicts, and the cost of those that break a limit."""
        where, before = self.out / "early", {row.name: row for row in rows(self.out / "run")}
        watched(self._audit(self.loras, where, self.cache, "--decide-early"), where)
        found = {row.name: row for row in rows(where)}
        first = min((row for row in before.values() if row.status == COMPLETE), key=lambda row: row.started).seconds
        cut = [r.seconds for n, r in found.items() if r.verdict == DRIFT and len(r.numbers) < len(before[n].numbers)]
        other = [name for name, row in found.items() if row.verdict != before[name].verdict]
        shares = [Held("LoRAs that are decided early", f"{len(cut)} of {len(found)}", bool(cut))]
        if cut:
            shares.append(limit("one decided early over the first", statistics.median(cut) / first, 0.2))
        return [none("LoRAs with another verdict", other), *shares]

    def kill(self) -> list[Held]:
        """Killed at random moments, driver and worker, and called again each time."""
        some = self._some(self.out / "killed-loras")
        whole, cut = self.out / "undisturbed", self.out / "killed"
        caches = self.out / "undisturbed-cache", self.out / "killed-cache"
        fresh(whole, cut, *caches)
        for cache in caches:
            self._with_base(cache)
        took = watched(self._audit(some, whole, caches[0]), whole).wall
        again = self._audit(some, cut, caches[1])
        # All calls together take about as long as the undisturbed run, so that hardly one finds nothing to do.
        whom = ("driver", "worker")
        moments = [(self.random.uniform(0.2, 2) * took / KILLS, self.random.choice(whom)) for _ in range(KILLS)]
        hit = [said for said in runs.killed(again, moments) if not said.startswith("nothing")]
        subprocess.run(again, check=False)
        one, other = ([repr(same(row)) for row in sorted(rows(w), key=lambda r: r.name)] for w in (whole, cut))
        return [
            Held("kill -9 of driver and worker", f"{len(hit)} times", None if len(hit) < KILLS // 2 else True),
            none("rows that differ", [row for row in one + other if one.count(row) != other.count(row)]),
            none("reports that differ", differing(reports(whole), reports(cut))),
            none("orphan files", orphans(cut)),
        ]

    def faults(self) -> list[Held]:
        """Two drivers on one folder, a full disk, a folder that is read-only."""
        some, cache = self._some(self.out / "fault-loras", 3), self.out / "fault-cache"
        where = self.out / "fault"
        fresh(where, cache)
        with subprocess.Popen(self._audit(some, where, cache)) as first:
            while not (where / runs.NAME).exists() and first.poll() is None:
                time.sleep(0.2)
            second = said(self._audit(some, where, cache))
            first.wait()
        done = [Held("a second driver is refused, and says so", second, "Another run" in second and second[0] == "2")]
        done.append(none("rows lost by it", [n for n in names(some) if n not in {r.name for r in rows(where)}]))
        return [*done, self._full_disk(some, cache), self._read_only(some, cache)]

    def ray(self) -> list[Held]:
        """Actors of a local Ray cluster: what scheduling costs over processes, and what two of them save."""
        what = "two Ray actors against one"
        if importlib.util.find_spec("ray") is None:
            return [Held(what, "ray is not installed", None)]
        some, seen = self._some(self.out / "ray-loras"), {}
        (self.out / "path").mkdir(exist_ok=True)
        if not (self.out / "path" / "owf").exists():  # actors import the package by its name
            (self.out / "path" / "owf").symlink_to(runs.ROOT)
        os.environ["PYTHONPATH"] = str(self.out / "path")
        for name, more in (("processes", ()), ("ray-1", ("--ray", "local")), ("ray-2", ("--ray", "local"))):
            where, cache = self.out / name, self.out / f"{name}-cache"
            fresh(where, cache)
            self._with_base(cache)
            watched(self._audit(some, where, cache, *more, "--workers", 2 if name == "ray-2" else 1), where)
            seen[name] = rows(where)
        one, two = ([repr(same(row)) for row in sorted(seen[n], key=lambda r: r.name)] for n in ("ray-1", "ray-2"))
        return [
            none("rows that differ for two actors", [row for row in one + two if (row in one) != (row in two)]),
            limit("idle share of an actor over that of a process", idle(seen["ray-1"]) - idle(seen["processes"]), 0.05),
            Held("scaling of two actors", f"{span(seen['ray-1']) / span(seen['ray-2']):.2f}", None),
        ]

    def leaderboard(self) -> list[Held]:
        """Ten thousand rows: opened and sorted in Chromium, where playwright has one."""
        from owf.core.render.html.overview.leaderboard import render_leaderboard

        page = self.out / "leaderboard-10000.html"
        page.write_text(render_leaderboard([synthetic(i, self.random) for i in range(10_000)]), encoding="utf-8")
        try:
            opens, sorts = timed_in_chromium(page, self.browser)
        except ImportError:
            return [Held(f"{page} opens in 2 s and sorts in 0.2 s", "playwright is not installed", None)]
        return [limit("10,000 rows open", opens, 2, " s"), limit("they sort", sorts, 0.2, " s")]

    def _audit(self, loras: Path, out: Path, cache: Path, *more: object) -> list[str]:
        return audit(loras, out, cache, *more, *(("--metrics", self.metrics) if self.metrics else ()))

    def _some(self, folder: Path, size: int = KILLED_LORAS) -> Path:
        """Return a folder with the first of the LoRAs."""
        folder.mkdir(exist_ok=True)
        for name in sorted(self.kinds)[:size]:
            if not (folder / name).exists():
                os.link(self.loras / name, folder / name)
        return folder

    def _with_base(self, cache: Path) -> None:
        """Give a cache the base's results, and no finished report that could be taken over."""
        file = self.out / "base.owf"
        subprocess.run(command("base", "export", file, "--cache", self.cache), check=True)
        subprocess.run(command("base", "import", file, "--cache", cache), check=True)

    def _full_disk(self, loras: Path, cache: Path) -> Held:
        with mounted(self.out / "disk", "size=200k") as disk:
            return self._refused("a full disk ends with a sentence", loras, disk, cache)

    def _read_only(self, loras: Path, cache: Path) -> Held:
        with mounted(self.out / "read-only", "ro") as disk:
            return self._refused("a read-only folder is said before the work", loras, disk, cache)

    def _refused(self, what: str, loras: Path, disk: Path | None, cache: Path) -> Held:
        if disk is None:
            return Held(what, "no disk can be mounted here", None)
        text = said(self._audit(loras, disk / "run", cache))
        return Held(what, text, text[0] == "2" and "Traceback" not in text)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path | None]:
    """Return a context with a disk in a folder, which holds for every user; None where this one may mount none."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=False)


def fresh(*folders: Path) -> None:
    """Remove what an interrupted step left."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def span(found: Sequence[Row]) -> float:
    """Return the seconds from the begin of the first audit to the end of the last."""
    times = [(time.mktime(time.strptime(r.started[:19], "%Y-%m-%dT%H:%M:%S")), r.seconds) for r in found if r.started]
    return max(begin + took for begin, took in times) - min(begin for begin, _ in times)


def idle(found: Sequence[Row]) -> float:
    """Return the share of that time in which no LoRA was audited, where one is audited at a time."""
    return 1 - sum(row.seconds for row in found) / span(found)


def grown(memory: Sequence[tuple[int, int]]) -> int:
    """Return how much larger a worker ever was after the 10th LoRA than while it worked at the next one."""
    peaks: dict[int, int] = {}
    for done, size in memory:
        peaks[done] = max(size, peaks.get(done, 0))
    late = [peaks[done] for done in sorted(peaks) if done >= 10]
    return max(late) - late[0] if late else 0


def wrong(row: Row, kind: str) -> bool:
    if kind == loras.GOOD:
        return row.status != COMPLETE or row.verdict == INVALID or not row.numbers
    return row.status not in (REFUSED, UNMEASURABLE) or row.verdict != INVALID or not row.reason or bool(row.numbers)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def said(arguments: Sequence[str]) -> str:
    """Return exit code and last line of the errors of a command."""
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return f"{ended.returncode}: {(ended.stderr.strip().splitlines() or ['nothing was said'])[-1]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--metrics", help="what is measured; the whole quick plan if not given")
    parser.add_argument("--only", default="run,early,kill,faults,ray,leaderboard")
    parser.add_argument("--browser", help="program of a Chromium, where playwright brought none of its own")
    options = parser.parse_args()
    bench = Bench(options.out.absolute(), options.seed, options)
    kept = options.out / "results.json"
    done: dict[str, list[dict[str, object]]] = json.loads(kept.read_text()) if kept.exists() else {}
    for step in options.only.split(","):
        if step not in done:
            does: Callable[[], list[Held]] = getattr(bench, step)
            done[step] = [asdict(held) for held in does()]
            kept.write_text(json.dumps(done, indent=1))
        for held in done[step]:
            holds = held["holds"]
            mark = "not measured" if holds is None else "holds" if holds else "DOES NOT HOLD"
            print(f"{step:12} {mark:14} {held['what']}: {held['measured']}")
    return int(any(held["holds"] is False for step in options.only.split(",") for held in done[step]))


if __name__ == "__main__":
    sys.exit(main())
