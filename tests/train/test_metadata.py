"""Facts in the header of a finished LoRA: the tensors stay, the bytes are the same each time."""

import pytest
from owf.core.adapter import read_adapter
from owf.core.demo import DEMO_LORAS
from owf.core.errors import AdapterError
from owf.core.train.metadata import add_metadata, read_metadata
from safetensors.torch import load_file

DEMO_LORA = DEMO_LORAS[0]
FACTS = {"owf.verdict": "PASS", "owf.note": 'quote " café 🐕 \\ \n end'}


@pytest.fixture
def lora(tmp_path):
    path = tmp_path / "lora.safetensors"
    path.write_bytes(DEMO_LORA.read_bytes())
    return path


def test_facts_are_added_and_the_rest_stays(lora):
    before = read_metadata(lora)
    add_metadata(lora, FACTS)
    assert read_metadata(lora) == {**before, **FACTS}
    add_metadata(lora, {"owf.verdict": "DRIFT"})
    assert read_metadata(lora) == {**before, **FACTS, "owf.verdict": "DRIFT"}


def test_tensors_and_the_hash_over_them_stay(lora):
    add_metadata(lora, FACTS)
    before, after = load_file(DEMO_LORA), load_file(lora)
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)
    old, new = read_adapter(DEMO_LORA), read_adapter(lora)
    assert old.hashes.autov3 == new.hashes.autov3 is not None
    assert old.hashes.sha256 != new.hashes.sha256


def test_order_and_repetition_do_not_change_the_bytes(lora, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(lora.read_bytes())
    add_metadata(lora, FACTS)
    for name in reversed(FACTS):
        add_metadata(other, {name: FACTS[name]})
    assert lora.read_bytes() == other.read_bytes()
    add_metadata(lora, FACTS)
    assert lora.read_bytes() == other.read_bytes()


def test_the_header_is_aligned_and_nothing_else_is_left(lora):
    add_metadata(lora, FACTS)
    assert int.from_bytes(lora.read_bytes()[:8], "little") % 8 == 0
    assert [path.name for path in lora.parent.iterdir()] == [lora.name]


def test_files_that_are_no_lora_stay_untouched(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"<html>")
    with pytest.raises(AdapterError):
        add_metadata(path, FACTS)
    assert path.read_bytes() == b"<html>"
