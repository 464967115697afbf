"""Read the LoRA at argv[1] with the file of one more algorithm in the folder of algorithms, and print what it does."""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import conftest  # noqa: F401 - binds owf
from owf.core.adapter import algorithms

algorithms.__path__.append(str(Path(__file__).parent / "one_more_algorithm"))  # before any name is read

from owf.core.adapter import applied, match, read_adapter  # noqa: E402
from owf.core.adapter.summary import summarise  # noqa: E402

unet = torch.nn.Module()
unet.conv_in = torch.nn.Linear(3, 2)
torch.nn.init.zeros_(unet.conv_in.weight)
torch.nn.init.zeros_(unet.conv_in.bias)
adapter = read_adapter(sys.argv[1])
with torch.no_grad(), applied({"unet": unet}, adapter) as report:
    told = {"weight": unet.conv_in.weight.tolist(), "bias": unet.conv_in.bias.tolist(), "problems": report.problems}
summary = summarise(adapter)
told |= {"norm": match(adapter, {"unet": unet}).delta_norm, "size": summary.blocks[0].size}
told |= {"algorithms": summary.algorithms, "warnings": summary.warnings}
print(json.dumps(told))
