"""The demo base's tokenizer is CLIP's."""

from pathlib import Path

import owf
import pytest
from demo_base.stages.text import load_tokenizer, token_ids
from demo_base.stages.tokenizer import byte_letters

FOLDER = Path(owf.__file__).parent / "demo" / "base" / "tokenizer"
START, END = 49406, 49407


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(FOLDER)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # Ids of openai/clip-vit-large-patch14.
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A  Photo of a\ncat", [320, 1125, 539, 320, 2368]),
        ("", []),
    ],
)
def test_known_strings_have_clips_ids(tokenizer, text, ids):
    assert tokenizer(text).input_ids == [START, *ids, END]


def test_prompts_are_padded_to_77_with_the_end_token(tokenizer):
    (ids,) = token_ids(tokenizer, ["a photo of a cat"]).tolist()
    assert ids == [START, 320, 1125, 539, 320, 2368, *[END] * 71]


def test_long_prompts_are_cut(tokenizer):
    (ids,) = token_ids(tokenizer, ["cat " * 200]).tolist()
    assert (len(ids), ids[-1]) == (77, END)


def test_vocabulary_has_clips_size(tokenizer):
    assert len(tokenizer) == 49408
    assert tokenizer.model_max_length == 77


def test_every_byte_has_its_own_letter():
    assert len(set(byte_letters())) == 256
