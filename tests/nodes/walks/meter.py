"""Compares six dark pictures with six light ones."""

import torch
from walk import NODES, answer

dark = torch.rand(6, 8, 8, 3, generator=torch.Generator().manual_seed(0)) * 0.2
out = NODES["OWF_CDIKIDMeter"].execute(dark, dark + 0.7, "none", 0)
cdi, kid, text, chart = out.args
answer(cdi=cdi, text=text, shape=list(chart.shape), panel=out.ui["owf"][0], isnan=kid != kid)
