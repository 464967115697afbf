"""Loads the pack again where PEFT is not installed."""

import sys

from walk import answer, load

sys.modules["peft"] = None
for name in list(sys.modules):
    if name.endswith("nodes.train"):
        del sys.modules[name]
answer(nodes=sorted(load()))
