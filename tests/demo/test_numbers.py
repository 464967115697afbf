"""The demo's numbers are those that stand here: a change of the code that is to change none changes none.

Takes the reports of `owf-audit --demo` from the folder that OWF_DEMO_REPORTS names, or makes them (some minutes).
After a change that is meant to change them: python tests/demo/test_numbers.py FOLDER writes them anew, here and into
demo/README.md.
"""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

NUMBERS = Path(__file__).with_name("numbers.json")
HERE, ELSEWHERE = 1e-12, 2e-3
"""Relative difference on the platform that the numbers come from, and on others, where sums of float32 products are
rounded in another order. One answer of 150 that changes is more than either."""

README = Path(__file__).resolve().parents[2] / "demo" / "README.md"
START, END = "<!-- loras: written by tests/demo/test_numbers.py -->", "<!-- end of loras -->"
LORAS = {"plain": "owf_demo_plain", "with drift correction": "owf_demo_dc"}
LISTED = 100
"""Lines of a breakdown that is held whole; the damage map's cells are hundreds, and its lists are made of them."""

SHOWN = (
    ("zero-shot accuracy, %", "semantic accuracy_tuned", 100, 1),
    ("... lost against the base, points", "semantic accuracy_drop", 100, 1),
    ("margin shift, nats", "semantic margin_shift", 1, 2),
    ("denoiser drift, %", "denoiser_drift drift", 100, 2),
    ("colour shift, Delta-E", "color_shift color_shift", 1, 1),
    ("colour drift, Delta-E", "color cdi", 1, 1),
    ("KID / spread, %", "kid kid_relative", 100, 1),
)
"""Words, name, factor and digits of what the table of demo/README.md has."""


def table_of(numbers: dict[str, dict[str, float]]) -> str:
    """Return the two LoRAs as a Markdown table."""
    found = {lora: next(name for name in numbers if name.startswith(f"{lora}.")) for lora in LORAS.values()}
    rows = [["of `owf-audit --demo`, 95 % interval", *LORAS], ["---"] * 3]
    rows.append(["verdict", *(name.rpartition(" ")[2] for name in found.values())])
    for words, name, factor, digits in SHOWN:
        lines = [numbers[lora] for lora in found.values()]
        ends = [[factor * line[f"{name} {end}"] for end in ("value", "low", "high")] for line in lines]
        rows.append([words, *(f"{v:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})" for v, low, high in ends)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_table(page: str, numbers: dict[str, dict[str, float]]) -> str:
    """Return a page with the table between its marks."""
    before, rest = page.split(START)
    return f"{before}{START}\n\n{table_of(numbers)}\n\n{END}{rest.split(END)[1]}"


def test_the_readme_of_the_demo_shows_these_numbers():
    assert with_table(README.read_text(), json.loads(NUMBERS.read_text())) == README.read_text()


def numbers_of(folder: Path) -> dict[str, dict[str, float]]:
    """Return value, interval, floor and count of every estimate and of every line of a list, for each LoRA."""
    found = {}
    for path in sorted(folder.glob("*/report.json")):
        report = json.loads(path.read_text())
        lines = found[f"{report['adapter']['name']} {report['verdict']['decision']}"] = {}
        for metric, measurement in sorted(report["measurements"].items()):
            for name, estimate in measurement["estimates"].items():
                lines |= _ends(f"{metric} {name}", estimate)
            for breakdown, parts in measurement["breakdowns"].items():
                for part in parts if len(parts) <= LISTED else ():
                    lines |= _ends(f"{metric} {breakdown} {part['label']}", part["estimate"])
    return found


def _ends(name, estimate) -> dict[str, float]:
    shown = ("value", "low", "high", "floor", "n")
    return {f"{name} {key}": estimate[key] for key in shown if estimate[key] is not None}


def platform() -> str:
    """Return what decides in which order numbers are added."""
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    if "OWF_DEMO_REPORTS" in os.environ:
        return Path(os.environ["OWF_DEMO_REPORTS"])
    from owf.cli.audit import main

    folder = tmp_path_factory.mktemp("demo")
    assert main(["--demo", "--out", str(folder), "--cache", str(folder / "cache"), "--progress", "none"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_gives_the_numbers_it_gave(reports):
    expected, seen = json.loads(NUMBERS.read_text()), numbers_of(reports)
    digits = HERE if expected.pop("platform") == platform() else ELSEWHERE
    assert seen.keys() == expected.keys()
    for name, lines in expected.items():
        assert seen[name] == pytest.approx(lines, rel=digits, abs=1e-12), name


if __name__ == "__main__":
    found = {**numbers_of(Path(sys.argv[1])), "platform": platform()}
    NUMBERS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    README.write_text(with_table(README.read_text(), found))
