"""The published sets: what is stated of each, and what they cost."""

import re
from pathlib import Path

import numpy as np
import pytest
from owf.core.datasets.accounts import account, evaluations, paired_gain, published_sets, table
from owf.core.datasets.dataset import require_trainable
from owf.core.errors import UsageError
from owf.core.plan.audit_plan import Stage
from published import write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"

PAPER = {
    # ceil(500 / classes) of each class, as the table of Laria et al. implies; rounds and loss as the authors' commands.
    "cifar10": (10, 50, "50:5 500:1", "l1"),
    "stl10": (10, 50, "100:5 500:1", "l1"),
    "flowers102": (102, 5, "20:20 50:10 100:5 500:1", "l1"),
    "pets": (37, 14, "25:5 250:1", "l1"),
    "objectnet": (113, 5, "50:25 100:10 500:5 1000:1", "l2"),
    "food101": (101, 5, "20:20 50:10 100:5 500:1", "l2"),
    "aircraft": (100, 5, "20:20 50:10 100:5 500:1", "l2"),
}


def test_the_sets_are_the_papers_with_their_settings():
    found = {
        name: (
            p.protocol.classes,
            p.protocol.per_class,
            " ".join(f"{s.samples}:{s.keep}" for s in p.protocol.stages),
            p.protocol.loss,
        )
        for name, p in published_sets()
    }
    assert found == PAPER


@pytest.mark.parametrize(("name", "published"), published_sets())
def test_licence_and_checksums_are_stated(name, published):
    text = PAGE.read_text()
    assert published.licence.endswith(".") and published.home.startswith("https://")
    assert published.archives and f"`{name}`" in text and published.home in text
    for file, md5 in published.archives:
        assert re.fullmatch(r"[0-9a-f]{32}|", md5) and file in text and md5 in text


def test_evaluations_add_up_by_hand():
    by_hand = {
        "cifar10": 500 * (10 * 50 + 5 * 450),
        "stl10": 500 * (10 * 100 + 5 * 400),
        "pets": 37 * 14 * (37 * 25 + 5 * 225),
        # 20 and 50 evenly spaced timesteps have none in common, 20 and 100 twenty: 20, 50, 80 and 350 are new.
        "flowers102": 102 * 5 * (102 * 20 + 20 * 50 + 10 * 80 + 5 * 350),
        "food101": 101 * 5 * (101 * 20 + 20 * 50 + 10 * 80 + 5 * 350),
        "aircraft": 100 * 5 * (100 * 20 + 20 * 50 + 10 * 80 + 5 * 350),
        # 50 and 100 have none in common, 100 and 500 a hundred; 500 are half of 1000.
        "objectnet": 113 * 5 * (113 * 50 + 25 * 100 + 10 * 400 + 5 * 450),
    }
    assert {name: p.protocol.evaluations for name, p in published_sets()} == by_hand
    asked, nominal = evaluations()
    assert asked == sum(by_hand.values()) == 20_511_650
    # By the numbers of samples alone it is the 19 million that are told of the seven sets.
    in_turn = {"flowers102": 102, "food101": 101, "aircraft": 100}
    by_samples = {n: k * 5 * (k * 20 + 20 * 30 + 10 * 50 + 5 * 400) for n, k in in_turn.items()}
    by_samples |= {name: by_hand[name] for name in ("cifar10", "stl10", "pets")}
    by_samples["objectnet"] = 113 * 5 * (113 * 50 + 25 * 50 + 10 * 400 + 5 * 500)
    assert nominal == sum(by_samples.values()) == 19_264_900
    assert f"{asked:,}" in table((Stage(8, 3), Stage(16, 1)))[-1] and f"{nominal:,}" in table((Stage(8, 1),))[-1]
    assert "1,375,000 UNet evaluations" in account("cifar10") and account("folder") == ""


def test_pairing_saves_what_a_simulation_says():
    draws = np.random.default_rng(0)
    n, p, churn = 4000, 0.8, 0.08
    base = draws.random((400, n)) < p
    flipped = np.where(base, draws.random((400, n)) < churn / 2 / p, draws.random((400, n)) < churn / 2 / (1 - p))
    paired = (base.mean(1) - (base ^ flipped).mean(1)).var()
    apart = (base.mean(1) - (draws.random((400, n)) < p).mean(1)).var()
    # A variance of 400 draws is known to 7 %, the ratio of two to 10 %: three of these.
    assert apart / paired == pytest.approx(paired_gain(p, churn), rel=0.3)


def test_a_set_that_may_not_be_trained_on_is_refused(tmp_path):
    write("objectnet", tmp_path / "a")
    write("food101", tmp_path / "b")
    own = tmp_path / "a" / "objectnet-1.0"
    for folder in (own, own / "images", own / "images" / "bath_towel"):
        with pytest.raises(UsageError, match="forbids to tune"):
            require_trainable(folder)
    for beside in ("a/mine", "a", "b/food-101/images/apple_pie", "none"):
        require_trainable(tmp_path / beside)
