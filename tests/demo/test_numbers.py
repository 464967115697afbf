"""The demo's numbers are those that stand here: a change of the code that is to change none changes none.

Takes the reports of `owf-audit --demo` from the folder that OWF_DEMO_REPORTS names, or makes them (some minutes).
After a change that is meant to change them: python tests/demo/test_numbers.py FOLDER writes them anew.
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


def numbers_of(folder: Path) -> dict[str, dict[str, float]]:
    """Return value, interval, floor and count of every estimate and of every line of a breakdown, for each LoRA."""
    found = {}
    for path in sorted(folder.glob("*/report.json")):
        report = json.loads(path.read_text())
        lines = found[f"{report['adapter']['name']} {report['verdict']['decision']}"] = {}
        for metric, measurement in sorted(report["measurements"].items()):
            for name, estimate in measurement["estimates"].items():
                lines |= _ends(f"{metric} {name}", estimate)
            for breakdown, parts in measurement["breakdowns"].items():
                for part in parts:
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
