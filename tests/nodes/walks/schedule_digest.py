"""Returns the digests of bases with another schedule, another projection, and another weight."""

import copy

import torch
from base_parts import Sampling, SD1ClipModel, SD3ClipModel, network, of
from torch import nn
from walk import answer

steeper = copy.deepcopy(network)
steeper.model_sampling = Sampling(100.0)


def lucky(kind):
    torch.manual_seed(1)
    one = kind()
    two, changed = copy.deepcopy(one), copy.deepcopy(one)
    nn.init.normal_(two.clip_l.transformer.text_projection.weight)
    nn.init.normal_(changed.clip_l.transformer.inner.weight)
    return [of(text=one), of(text=two), of(text=changed)]


answer(plain=of(), steeper=of(network=steeper), sd1=lucky(SD1ClipModel), sd3=lucky(SD3ClipModel))
