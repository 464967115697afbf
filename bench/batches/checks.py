"""What `bench/batch.py` says of a run, and the leaderboard that it opens."""

import io
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - binds owf
from owf.core.ledger.row import COMPLETE, Number, Row
from owf.core.verdict.verdict import DRIFT, PASS

SORT = """() => {
  const start = performance.now();
  document.querySelector("[data-sort='1']").click();
  return performance.now() - start;
}"""


@dataclass(frozen=True)
class Held:
    """One thing that must hold."""

    what: str
    measured: str
    holds: bool | None
    """None where it could not be measured here."""


def limit(what: str, value: float, most: float, unit: str = "") -> Held:
    return Held(f"{what}, at most {most:g}{unit}", f"{value:.3g}{unit}", value <= most)


def none(what: str, found: Sequence[object]) -> Held:
    return Held(what, "none" if not found else f"{len(found)}, such as {found[0]}", not found)


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def synthetic(number: int, chance: random.Random) -> Row:
    value, name = chance.lognormvariate(0, 1), f"lora {number:05}.safetensors"
    numbers = tuple(
        Number(metric, estimate, value, value / 2, value * 2, 64, "", None, 1.0, DRIFT if value > 2 else PASS)
        for metric, estimate in (("denoiser_drift", "drift"), ("color", "cdi"), ("kid", "relative"))
    )
    verdict = DRIFT if value > 2 else PASS
    return Row(
        name, name, f"{number:064x}", 1.0, "", "ask", COMPLETE, verdict, family=chance.choice(("sd15", "sdxl")),
        base="a base", plan_digest="plan", numbers=numbers, worst={"dog": 0.1}, thumbnail=_picture(chance),
    )  # fmt: skip


def _picture(chance: random.Random) -> bytes:
    """Return a JPEG as large as a thumbnail of a pair, which a browser decodes as one."""
    from PIL import Image

    kept, coarse = io.BytesIO(), Image.frombytes("RGB", (12, 6), chance.randbytes(12 * 6 * 3))
    coarse.resize((96, 48)).save(kept, "JPEG")
    return kept.getvalue()


def timed_in_chromium(page: Path, program: str | None = None) -> tuple[float, float]:
    """Return the seconds that a page takes to open and to sort by a number, in playwright's Chromium or another."""
    from playwright.sync_api import sync_playwright

    # Without a sandbox, as Chromium has none for root, who is the user in containers.
    kind: Any = {"executable_path": program, "args": ["--no-sandbox"]} if program else {}
    with sync_playwright() as player, player.chromium.launch(**kind) as browser:
        tab, start = browser.new_page(), time.monotonic()
        tab.goto(page.as_uri())
        tab.wait_for_selector(".space .line")
        opened = time.monotonic() - start
        sorts = tab.evaluate(SORT)
        return opened, sorts / 1000
