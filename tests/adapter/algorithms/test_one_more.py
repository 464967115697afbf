"""Claim: the reader knows an algorithm by its file alone: names, scale, change, bias, sizes and doubts."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "read_one_more.py"


def test_a_file_in_the_folder_is_all_that_an_algorithm_takes(tmp_path):
    factors = {"r1_out": [1.0, 2.0], "r1_in": [3.0, 0.0, 4.0], "r1_gain": 0.5, "r1_b": [1.0, -1.0]}
    tensors = {f"lora_unet_conv_in.{ending}": torch.tensor(value) for ending, value in factors.items()}
    save_file(tensors, tmp_path / "x.safetensors")
    run = subprocess.run([sys.executable, SCRIPT, tmp_path / "x.safetensors"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["weight"] == [[1.5, 0.0, 2.0], [3.0, 0.0, 4.0]]
    assert told["bias"] == [2.0, -2.0]
    assert told["problems"] == []
    assert told["algorithms"] == ["rank1"]
    assert told["size"] == pytest.approx(0.5 * math.sqrt(5) * 5)
    assert told["norm"] == pytest.approx(math.hypot(0.5 * math.sqrt(5) * 5, math.sqrt(8)))
    assert "1 module of an algorithm that nobody uses" in told["warnings"]
