"""`owf-train --dry-run`: everything is said, nothing is loaded, written or fetched."""

import re
from pathlib import Path

import pytest
from owf.cli import session as session_module
from owf.cli.train import main
from owf.core import families
from owf.core.audit.evidence.cost import audit_cost
from owf.core.audit.request import plan_for
from owf.core.model import base
from owf.core.train.audited import REQUEST

CONCEPT = Path(__file__).resolve().parents[3] / "demo" / "concept"
DEMO = (CONCEPT, "--demo-base", "--trigger", "sks", "--class", "pullover")


@pytest.fixture
def said(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command without a base to load, and returns its code and its words."""
    refuse = lambda *_, **__: pytest.fail("a base was loaded")  # noqa: E731
    monkeypatch.setattr(base, "load_base", refuse)
    monkeypatch.setattr(session_module, "load_base", refuse)

    def run(*arguments):
        places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--dry-run"]
        code = main([*map(str, arguments), *places])
        found = capsys.readouterr()
        assert not list(tmp_path.iterdir())
        return code, found.out + found.err

    return run


def test_rows_time_and_memory_are_said(said):
    code, text = said(*DEMO, "--preset", "quick", "--rank", "8")
    assert code == 0
    plan, _ = plan_for(REQUEST, "demo", 96)
    audit = audit_cost(plan, plan.per_class * len(plan.classes))
    for part in (
        "5 pictures of sks pullover.",
        "Base: OWF demo base",
        "Plan: 300 steps of 4 pictures, dreambooth_lora by lora of rank 8 on attention; preserved by dc",
        "Rows of the denoiser: 2,400 with gradients; 1,200 of the base beside them; ",
        " to check how it is read and ",
        "to watch drift and gain",
        "to see what was learned",
        f"the audit: {audit.tuned:,} for the LoRA, {audit.base:,} for the base (once, then cached)",
        "A step has 8 rows with gradients at once, and before them 4 of the base",
        "This machine (cpu, float32), as loaded: ",
        ", with checkpointing ",
        "Card of 8 GB (RTX 4060, float16), as loaded: ",
        "Card of 12 GB",
        "Card of 24 GB",
        "Nothing was loaded.",
    ):
        assert part in text, part


def test_without_an_audit_neither_it_nor_what_was_learned_is_asked(said):
    _, text = said(*DEMO, "--steps", "10", "--no-audit")
    assert "the audit" not in text and "learned" not in text


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--quantize", "int8"], "--checkpointing"),
        (["--method", "custom_diffusion", "--offload", "model"], "--offload none"),
        (["--preserve", "none", "--base", "nobody/nothing-of-this-name"], "nothing is known of its size"),
        (["--base", "krea/Krea-2-Raw"], "on which audits run, and training not yet"),
        (["--base", "black-forest-labs/FLUX.1-dev", "--train-text-encoder"], "are not trained"),
        (["--validation", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_what_a_training_refuses_is_refused(said, more, part):
    what = DEMO if "--base" not in more else (CONCEPT, *DEMO[2:])
    code, text = said(*what, *more)
    assert code == 2 and part in text


@pytest.mark.slow
def test_a_base_of_the_hub_that_is_not_here_is_known_by_its_sizes_and_told_what_fits(said):
    code, text = said(CONCEPT, "--base", families.get("sdxl").hub_id, *DEMO[2:])
    assert code == 0 and "UNet 2,567 M" in text
    needed = {int(size): float(gb) for size, gb in re.findall(r"^Card of (\d+) GB .*: (\d+\.\d) GB;", text, re.M)}
    assert set(needed) == {8, 12, 24} and all(gigabytes <= card for card, gigabytes in needed.items())
    (small,) = (line for line in text.splitlines() if line.startswith("Card of 8 GB"))
    assert "checkpointing, offload model, int8 weights: " in small  # as docs/memory.md has it: 8.1 GB if not rounded
