"""A Ray cluster of this machine: its ledger is the one that processes make, also when an actor is killed."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from owf.cli.audit import main
from owf.core.batch import ray_workers
from owf.core.errors import Setting, UsageError
from owf.core.ledger.ledger import Ledger

RUN = Path(__file__).parents[1] / "support" / "run_ray.py"
ROOT = Path(__file__).resolve().parents[2]


def ran(folder, *arguments):
    """Run the driver; what its actors import is found by PYTHONPATH, as where the package is installed."""
    (folder / "loras").mkdir(parents=True)
    for i in range(9):
        (folder / "loras" / f"{i:02}-{('a', 'slow', 'bad')[i % 3]}").write_text(str(i))
    (folder / "path").mkdir()
    (folder / "path" / "owf").symlink_to(ROOT)
    found = os.pathsep.join([str(folder / "path"), str(RUN.parent)])
    environment = {**os.environ, "PYTHONPATH": found, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, str(RUN), str(folder), *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, timeout=280)
    with Ledger(folder / "out" / "ledger.sqlite", writes=False) as ledger:
        rows = sorted(ledger.rows(), key=lambda row: row.name)
    return [dataclasses.replace(row, attempts=1, path="") for row in rows], max(row.attempts for row in rows)


@pytest.mark.slow
def test_two_actors_make_the_ledger_that_one_makes_and_one_may_be_killed(tmp_path):
    pytest.importorskip("ray", reason="could not import 'ray'")
    (one, tries), (two, _) = ran(tmp_path / "one", 1), ran(tmp_path / "two", 2)
    (killed, again) = ran(tmp_path / "killed", 2, "kill")
    assert one == two == killed and len(one) == 9
    assert (tries, again) == (1, 2)


def test_without_ray_it_is_said_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught:
        ray_workers.RayWorkers("local", list)
    assert caught.value.settings == (Setting("install", "'owf[ray]'"),)
    for name in "ab":
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--ray", "auto", "--cache", str(tmp_path / "c")]) == 2
    assert "owf[ray]" in capsys.readouterr().err
