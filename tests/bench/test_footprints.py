"""The tables of docs/memory.md are what the command prints, and what a dry run says of the same LoRA and base."""

import contextlib
import json
from pathlib import Path

import pytest
from footprints.eight_bits import eight_bits_table
from footprints.families import asked, memory_table, rows_table
from footprints.loras import RANK, changed_layers
from footprints.steps import KIND, plan_on
from owf.cli import audit
from owf.cli import session as session_module
from owf.cli.dry_run.audit import ways
from owf.core import families
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import blueprint
from owf.core.model.cards import CARDS
from owf.core.model.memory import Keeping
from owf.core.train.forecast.step import StepMemory, fake
from tiny_flows import TRAINED, save_folder
from tiny_qwen import known_class

MEMORY = Path(__file__).resolve().parents[2] / "docs" / "memory.md"


@pytest.mark.slow
def test_the_page_has_the_tables_that_are_printed():
    known_class("Krea2Transformer2DModel")
    page = MEMORY.read_text()
    for table in (rows_table, memory_table, eight_bits_table):
        assert "\n".join(table()) in page


def write_header(path, base):
    """Write a LoRA on the layers that memory is counted with; its zeros take no place on most disks."""
    header, place = {}, 0
    for name, layer in changed_layers(base):
        for part, shape in (("lora_A", (RANK, layer.in_features)), ("lora_B", (layer.out_features, RANK))):
            end = place + 2 * shape[0] * shape[1]
            header[f"transformer.{name}.{part}.weight"] = {"dtype": "F16", "shape": shape, "data_offsets": [place, end]}
            place = end
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(8 + len(head) + place)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "hub_id",
    ["black-forest-labs/FLUX.2-klein-4B", "black-forest-labs/FLUX.2-klein-base-4B", "Tongyi-MAI/Z-Image-Turbo"],
)
def test_a_dry_run_says_the_same(hub_id, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session_module, "load_base", lambda *_, **__: pytest.fail("a base was loaded"))
    one = asked(hub_id)
    path = write_header(tmp_path / "lora.safetensors", one.base)
    places = ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--device", "cpu", "--offline", "--dry-run"]
    for quantize in ("none", "int8", "nf4"):
        arguments = [path, "--base", hub_id, "--quantize", quantize, *places]
        assert audit.main([str(argument) for argument in arguments]) == 0
        said = capsys.readouterr().out
        assert f"{one.cost.tuned:,} for the LoRA, {one.cost.base:,} for the base" in said
        lines = [line for line in said.splitlines() if line.startswith("Card of")]
        assert len(lines) == len(CARDS)
        needed = {way: one.needed(way) for way in ways(Keeping(quantize=quantize))}
        fitting = [f", {one.rows} rows at once), {w.words()}: {size:.1f} GB;" for w, size in needed.items()]
        least = min(needed.values())
        for line in lines:
            assert any(way in line for way in fitting) or f"too small, {least:.1f} GB at least" in line, line


def test_the_page_names_every_base_that_is_audited():
    page = MEMORY.read_text()
    for family in families.audited():
        assert all(hub_id in page for hub_id in filter(None, (family.hub_id, *family.of_its_size)))


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", TRAINED)
def test_a_step_of_fake_tensors_allocates_what_one_of_real_tensors_does(family, checkpointing, tmp_path):
    choice = BaseChoice(str(save_folder(family, TRAINED[family](), tmp_path / "tiny")), "folder")
    plan = plan_on(blueprint(choice))
    steps = [StepMemory(blueprint(choice), plan, KIND, mode) for mode in (fake(), contextlib.nullcontext())]
    peaks = [step.peak(2, checkpointing) for step in steps]
    assert peaks[0] == peaks[1] > 0 < steps[0].trained == steps[1].trained
