"""`--dry-run`: everything is said, nothing is loaded, written or fetched."""

import json

import pytest
import torch
from owf.cli import audit, experiment, train
from owf.cli import session as session_module
from owf.cli.dry_run.audit import ways
from owf.cli.dry_run.machine import time_words
from owf.core.audit.evidence.cost import audit_cost
from owf.core.audit.references import likeness_rows
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.demo import DEMO_BASE, DEMO_CONCEPT, DEMO_LORAS
from owf.core.model import base
from owf.core.model.memory import Keeping
from owf.core.plan.concept import Concept
from published import write
from safetensors.torch import load_file, save_file
from tiny_flows import PARTS, save_folder


@pytest.fixture
def said(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command without a base to load, and returns its code and its words."""
    refuse = lambda *_, **__: pytest.fail("a base was loaded")  # noqa: E731
    monkeypatch.setattr(base, "load_base", refuse)
    monkeypatch.setattr(session_module, "load_base", refuse)

    def run(*arguments):
        places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--dry-run"]
        code = audit.main([*map(str, arguments), *places])
        found = capsys.readouterr()
        assert not (tmp_path / "out").exists()
        return code, found.out + found.err

    return run


def test_the_plan_rows_time_and_memory_are_said(said):
    code, text = said(DEMO_LORAS[0])
    assert code == 0
    for part in (
        "would apply to",
        "nothing in names and shapes speaks against it",
        "Base: OWF demo base",
        "Plan: preset quick: denoiser_drift, map, semantic, color, color_shift, kid",
        "for the LoRA",
        "once, then cached",
        "This machine (cpu, float32",
        "Card of 8 GB (RTX 4060",
        "Card of 12 GB",
        "Card of 24 GB",
        "Nothing was loaded.",
    ):
        assert part in text, part


def test_rows_are_those_of_the_cost_that_a_run_announces(said):
    plan, _ = plan_for(AuditRequest(), "demo", 96)
    cost = audit_cost(plan, plan.per_class * len(plan.classes))
    _, text = said(DEMO_LORAS[0])
    assert f"{cost.tuned:,} for the LoRA, {cost.base:,} for the base" in text


def test_the_rows_of_references_are_said_too(said):
    rows = likeness_rows(Concept("sks bag", "bag"), "demo")
    _, text = said(DEMO_LORAS[0], "--references", DEMO_CONCEPT, "--concept", "sks bag")
    assert f"at most {rows:,} more for the likeness to the references" in text
    assert "references" not in said(DEMO_LORAS[0])[1]


def test_a_file_that_names_and_shapes_make_invalid_is_code_4(said, tmp_path):
    tensors = load_file(DEMO_LORAS[0])
    for number in range(20):
        stem = f"lora_unet_down_blocks_7_attentions_{number}_proj_in"
        tensors |= {f"{stem}.lora_down.weight": torch.ones(2, 4), f"{stem}.lora_up.weight": torch.ones(4, 2)}
    save_file(tensors, tmp_path / "odd.safetensors")
    code, text = said(tmp_path / "odd.safetensors", "--base", DEMO_BASE)
    assert code == 4
    assert "INVALID" in text and "would take no effect" in text


def test_a_base_of_which_nothing_is_known_is_a_usage_error(said):
    code, text = said(DEMO_LORAS[0], "--base", "nobody/nothing-of-this-name")
    assert code == 2
    assert "nothing is known of its size" in text


@pytest.mark.parametrize(("seconds", "words"), [(1, "1 min"), (600, "10 min"), (7200, "2.0 h"), (3 * 86400, "3 days")])
def test_times_are_said_as_people_do(seconds, words):
    assert time_words(seconds) == words


def test_a_published_set_is_told_with_what_its_authors_evaluate(said, tmp_path):
    write("cifar10", tmp_path / "data", each=2)
    asked = ["--images", tmp_path / "data", "--dataset", "cifar10"]
    code, text = said(DEMO_LORAS[0], "--preset", "paper", *asked)
    assert code == 0
    assert "CIFAR-10 as its classifier's authors ask it: 500 images, 1,375,000 UNet evaluations for a model" in text
    assert "all 7 sets 20.5 million (19.3 million" in text
    assert "CIFAR-10: Its author states no licence" in text
    assert "UNet evaluations for a model" not in said(DEMO_LORAS[0], *asked)[1]


def test_cards_are_asked_as_the_audit_would_be(said):
    _, text = said(DEMO_LORAS[0], "--batch", "3", "--dtype", "float32", "--quantize", "int8", "--vae-tile", "64")
    here, *cards = (line for line in text.splitlines() if line.startswith(("This machine", "Card of")))
    for line in (here, *cards):
        assert "float32, 3 rows at once" in line
        assert "int8 weights, VAE in tiles of 64 px" in line
    _, text = said(DEMO_LORAS[0], "--offload", "model")
    assert text.count("offload model") == 4


def test_cards_run_in_their_own_type_unless_one_is_asked(said):
    _, text = said(DEMO_LORAS[0])
    assert text.count("float16, ") == 3


def test_what_no_library_can_do_is_refused_as_in_an_audit(said):
    code, text = said(DEMO_LORAS[0], "--quantize", "nf4", "--offload", "group")
    assert (code, "--offload model" in text) == (2, True)


@pytest.mark.parametrize(
    ("asked", "offloads"),
    [
        (Keeping(), ["none", "model", "model", "group"]),
        (Keeping("model", "int8"), ["model", "model", "group"]),
        (Keeping(quantize="nf4"), ["none", "model", "model"]),
    ],
)
def test_ways_go_from_what_was_asked_to_the_leanest(asked, offloads):
    found = list(ways(asked))
    assert [way.offload for way in found] == offloads
    assert {way.quantize for way in found} == {asked.quantize}


@pytest.fixture
def disagreeing(tmp_path):
    """A folder that is called Turbo, with the times of a Z-Image that is none."""
    folder = save_folder("z_image", PARTS["z_image"](), tmp_path / "z-image-turbo")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shift": 6.0}))
    return folder


SAID = "By its name the base is Z-Image-Turbo, and by its settings (shift 6.0) Z-Image: pictures are drawn as with the "


def test_a_name_and_settings_that_disagree_are_said_as_in_an_audit(said, disagreeing, tmp_path):
    stem = "transformer.layers.0.attention.to_q"
    lora = {f"{stem}.lora_A.weight": torch.ones(1, 32), f"{stem}.lora_B.weight": torch.ones(32, 1)}
    save_file(lora, tmp_path / "x.safetensors")
    code, text = said(tmp_path / "x.safetensors", "--base", disagreeing)
    assert code == 0
    assert f"\n{SAID}" in text
    assert SAID not in said(DEMO_LORAS[0])[1]


def test_dry_runs_of_trainings_and_experiments_say_so_too(disagreeing, tmp_path, capsys):
    places = ["--out", str(tmp_path / "out"), "--device", "cpu", "--dry-run"]
    concept = [str(DEMO_CONCEPT), "--trigger", "sks", "--class", "pullover"]
    assert train.main([*concept, "--base", str(disagreeing), *places]) == 0
    assert f"\n{SAID}" in capsys.readouterr().out
    (tmp_path / "concepts").mkdir()
    (tmp_path / "concepts" / "pullover").symlink_to(DEMO_CONCEPT)
    concepts = ["--concepts", str(tmp_path / "concepts")]
    assert experiment.main(["first3", "--base", str(disagreeing), *concepts, *places]) == 0
    assert f"\n{SAID}" in capsys.readouterr().out
