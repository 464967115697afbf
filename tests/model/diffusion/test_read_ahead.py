"""Prompts that are read ahead: many before anything else is asked, each alone and once, and as the model reads them."""

import pytest
import torch
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion import read_ahead
from owf.core.model.diffusion.encodings import Encodings
from owf.core.model.diffusion.read_ahead import reading_ahead
from tiny_flows import PARTS
from tiny_sd import tiny_parts

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

PROMPTS = ("a bag", "two red coats in the rain", "a dog")


class Watched:
    """A denoiser that tells what it was asked, in order."""

    def __init__(self, denoiser):
        self._denoiser, self.asked = denoiser, []

    def __getattr__(self, name):
        return getattr(self._denoiser, name)

    def encode_text(self, prompts):
        self.asked.append(tuple(prompts))
        return self._denoiser.encode_text(prompts)

    def encode_guided(self, prompts, negatives):
        self.asked.append((*prompts, *negatives))
        return self._denoiser.encode_guided(prompts, negatives)


@pytest.fixture(scope="module", params=list(PARTS))
def denoiser(request):
    return DiffusersDenoiser(PARTS[request.param](), "tiny", request.param)


def test_texts_are_read_before_the_first_part_each_once_and_alone(denoiser):
    watched, parts = Watched(denoiser), [PROMPTS[:2], PROMPTS[1:], PROMPTS[:1]]
    for reader, part in reading_ahead(Encodings(watched), parts, lambda part: [(p,) for p in part]):
        reader.encode_text(part)
        watched.asked.append("asked")
    assert watched.asked == [*((prompt,) for prompt in PROMPTS), "asked", "asked", "asked"]


def test_no_more_are_read_than_memory_is_kept_for(denoiser, monkeypatch):
    monkeypatch.setattr(read_ahead, "AHEAD", 2)
    watched = Watched(denoiser)
    for _, part in reading_ahead(Encodings(watched), PROMPTS, lambda prompt: [(prompt,)]):
        watched.asked.append(part)
    first, second, third = PROMPTS
    assert watched.asked == [(first,), (second,), first, second, (third,), third]


def test_they_are_what_the_model_reads(denoiser):
    """To the last digits, which depend on how many are read at once; what fills up a shorter one is masked."""
    ((reader, _),) = reading_ahead(Encodings(denoiser), ["all"], lambda _: [(p,) for p in PROMPTS])
    own, ahead = denoiser.encode_text(PROMPTS), reader.encode_text(PROMPTS)
    torch.testing.assert_close(ahead.mean(), own.mean(), atol=1e-5, rtol=1e-4)
    negative = ["", "a cat", ""]
    texts = list(zip(PROMPTS, negative, strict=True))
    ((reader, _),) = reading_ahead(Encodings(denoiser), ["all"], lambda _: texts)
    own, ahead = denoiser.encode_guided(PROMPTS, negative), reader.encode_guided(PROMPTS, negative)
    assert len(ahead) == 2 * len(PROMPTS)
    torch.testing.assert_close(ahead.mean(), own.mean(), atol=1e-5, rtol=1e-4)


def test_what_a_clip_reads_is_read_when_it_is_asked():
    watched = Watched(DiffusersDenoiser(tiny_parts(), "tiny", "demo"))
    assert [found for found, _ in reading_ahead(Encodings(watched), PROMPTS, lambda prompt: [(prompt,)])] == [
        watched
    ] * 3
    assert watched.asked == []
