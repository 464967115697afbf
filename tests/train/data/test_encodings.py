"""What encoders make of captions and pictures: encoded once for all trainings on a base, to the same bits."""

import pytest
import torch
from owf.core.disk.stores import stores
from owf.core.errors import InvalidError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.encodings import Encodings, kept_encodings
from small_training import BANK, run, small_plan, tiny_denoiser, two_pictures
from tiny_sdxl import tiny_xl_parts


def kept_captions(denoiser, cache, captions):
    with kept_encodings(denoiser, cache) as encodings:
        return encodings.captions(captions)


def kept_pictures(denoiser, cache, pictures, mirrored):
    with kept_encodings(denoiser, cache) as encodings:
        return encodings.pictures(pictures, mirrored=mirrored)


CAPTIONS = ("a photo of a sks bag", "", "rouge à lèvres")
PICTURES = [picture.pixels for picture in two_pictures()]


class Counted:
    """A base that counts what its encoders are asked."""

    def __init__(self, denoiser):
        self._denoiser, self.captions, self.pictures = denoiser, [], 0

    def __getattr__(self, name):
        return getattr(self._denoiser, name)

    def encode_text(self, prompts):
        self.captions += prompts
        return self._denoiser.encode_text(prompts)

    def encode_image(self, images):
        self.pictures += len(images)
        return self._denoiser.encode_image(images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_kept_is_what_was_encoded_to_the_bit(tmp_path, dtype):
    denoiser = DiffusersDenoiser(tiny_xl_parts(), "tiny", "sdxl")
    for part in denoiser.components.values():
        part.to(dtype)
    fresh, first = Encodings(denoiser).captions(CAPTIONS), kept_captions(denoiser, tmp_path, CAPTIONS)
    again = kept_captions(denoiser, tmp_path, CAPTIONS)
    for one, two, three in zip(fresh, first, again, strict=True):
        assert one.pooled is not None and one.mask is None and three.mask is None
        assert one.context.dtype == three.context.dtype == dtype
        assert torch.equal(one.context, two.context) and torch.equal(one.context, three.context)
        assert torch.equal(one.pooled, three.pooled)


@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_and_their_mirror_images_are_kept(tmp_path, mirrored):
    denoiser = tiny_denoiser()
    fresh = Encodings(denoiser).pictures(PICTURES, mirrored=mirrored)
    kept_pictures(denoiser, tmp_path, PICTURES, mirrored=mirrored)
    counted = Counted(denoiser)
    kept = kept_pictures(counted, tmp_path, PICTURES[::-1], mirrored=mirrored)
    assert counted.pictures == 0 and len(kept[0]) == 1 + mirrored
    assert all(torch.equal(a, b) for a, b in zip(fresh, kept[::-1], strict=True))
    kept_pictures(counted, tmp_path, PICTURES, mirrored=not mirrored)
    assert counted.pictures > 0  # they are asked for with or without their mirror images, and answered so


def test_a_changed_pixel_is_another_picture(tmp_path):
    counted = Counted(tiny_denoiser())
    kept_pictures(counted, tmp_path, PICTURES[:1], mirrored=False)
    changed = PICTURES[0].clone()
    changed[0, 0, 0] ^= 1
    kept_pictures(counted, tmp_path, [changed], mirrored=False)
    assert counted.pictures == 2


def test_the_next_training_encodes_only_what_is_new(tmp_path):
    first, second = Counted(tiny_denoiser()), Counted(tiny_denoiser())
    plan = small_plan(preserve=("dc",), bank_prompts=0)
    one = run(tmp_path / "one", plan, first, cache=tmp_path / "cache")
    two = run(tmp_path / "two", plan, second, cache=tmp_path / "cache")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert first.pictures == 2 and second.pictures == 0
    assert {*BANK.prompts, "", "a photo of a bag"} <= set(first.captions)
    drawn = set(BANK.prompts)  # read along with the check of the base
    assert not set(second.captions) - drawn


def test_held_out_prompts_are_read_once_however_often_drift_is_measured(tmp_path):
    read = []
    for steps in (2, 1, 4):  # the first also checks the base and draws them
        counted = Counted(tiny_denoiser())
        plan = small_plan(steps=steps, drift_every=1, preserve=())
        run(tmp_path / str(steps), plan, counted, cache=tmp_path / "cache")
        read.append([counted.captions.count(prompt) for prompt in BANK.watched])
    assert read[1] == read[2] == [1] * len(BANK.watched)


def test_one_base_is_not_taken_for_another(tmp_path):
    one, other = tiny_denoiser(), tiny_denoiser()
    kept_captions(one, tmp_path, CAPTIONS)
    with torch.no_grad():
        next(other.components["text_encoder"].parameters()).add_(0.5)
    counted = Counted(other)
    kept_captions(counted, tmp_path, CAPTIONS)
    assert counted.captions == list(CAPTIONS)
    assert len(stores(tmp_path)) == 2  # and both count where the cache is held to its size


def test_a_damaged_store_is_read_anew(tmp_path):
    denoiser = Counted(tiny_denoiser())
    kept_captions(denoiser, tmp_path, CAPTIONS)
    (path,) = stores(tmp_path)
    path.write_bytes(b"no database")
    kept_captions(denoiser, tmp_path, CAPTIONS)
    assert denoiser.captions == [*CAPTIONS, *CAPTIONS]


def test_latents_that_are_not_finite_are_refused_and_not_kept(tmp_path):
    denoiser = Counted(tiny_denoiser())
    denoiser.encode_image = lambda images: torch.full((len(images), 4, 8, 8), torch.nan)
    for _ in range(2):
        with pytest.raises(InvalidError, match="not finite"):
            kept_pictures(denoiser, tmp_path, PICTURES, mirrored=False)
