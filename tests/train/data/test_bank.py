"""Banks: what is preserved is never what audits ask, nor what drift is watched on."""

import random
import re

import pytest
from demo_base.fashion import BACKGROUNDS, CLASSES, COLORS, article
from owf.core.errors import Setting, UsageError
from owf.core.plan.demo import THINGS
from owf.core.plan.presets import audit_prompts
from owf.core.plan.prompts import COLOR_TERMS
from owf.core.train.data.bank import LEAST, MAX_BYTES, WATCHED, make_bank, normal, read_bank, shipped_bank
from owf.core.train.data.captions import Concept

DOG = Concept("sks", "dog")
SHIPPED = {"default": shipped_bank("sd15"), "demo": shipped_bank("demo")}
ASKED = {normal(prompt) for prompt in audit_prompts()}


def prompts_of(name):
    return read_bank(SHIPPED[name])


@pytest.mark.parametrize(("name", "least"), [("default", 500), ("demo", 400)])
def test_the_shipped_banks_hold_hundreds_of_different_prompts(name, least):
    prompts = prompts_of(name)
    assert len({normal(p) for p in prompts}) == len(prompts) > least


@pytest.mark.parametrize("name", SHIPPED)
def test_no_audit_asks_what_the_shipped_banks_hold(name):
    assert not {normal(p) for p in prompts_of(name)} & ASKED
    assert make_bank(prompts_of(name), DOG).left_out == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_banks_ask_for_every_color(name):
    words = [set(normal(p).replace("grey", "gray").split()) for p in prompts_of(name)]
    for term in COLOR_TERMS:
        assert sum(term in prompt for prompt in words) >= 5, term


def test_the_default_bank_has_the_lengths_that_people_write():
    lengths = [len(p.split()) for p in prompts_of("default")]
    assert min(lengths) <= 3
    assert max(lengths) >= 20
    assert sum(length <= 4 for length in lengths) > 40
    assert sum(length >= 12 for length in lengths) > 25


def test_the_demo_bank_follows_from_the_demo_world():
    colored = [[article(f"{color} {thing}") for color in COLORS] for thing in CLASSES if thing not in THINGS]
    grounds = [f" on {article(ground)} background" for ground in BACKGROUNDS]
    short = ("{}", "a picture of {}", "an image of {}", "a photograph of {}", "this is {}")
    expected = {text.format(article(thing)) for thing in CLASSES for text in short}
    expected |= {f"a photo of {article(thing)}{ground}" for thing in CLASSES for ground in grounds}
    for i, things in enumerate(colored):
        for j, thing in enumerate(things):
            expected |= {f"a photo of {thing}", f"a picture of {thing}"}
            expected |= {f"a photo of {thing}{grounds[(i + j + k) % len(grounds)]}" for k in range(3)}
    assert set(prompts_of("demo")) == expected


@pytest.mark.parametrize("name", SHIPPED)
def test_watched_prompts_are_never_trained_on(name):
    bank = make_bank(prompts_of(name), DOG)
    assert len(bank.watched) == WATCHED
    assert not {normal(p) for p in bank.prompts} & {normal(p) for p in bank.watched}
    assert len(bank.prompts) + len(bank.watched) == len(prompts_of(name))


def test_the_order_of_the_file_decides_nothing():
    prompts = list(prompts_of("default"))
    bank = make_bank(tuple(prompts), DOG, 100)
    random.Random(0).shuffle(prompts)
    again = make_bank(tuple(prompts), DOG, 100)
    assert set(again.watched) == set(bank.watched)
    assert set(again.prompts) == set(bank.prompts)


def test_a_limit_keeps_prompts_of_every_kind():
    few, more = (make_bank(prompts_of("default"), DOG, limit) for limit in (50, 100))
    assert len(few.prompts) == 50
    assert set(few.prompts) <= set(more.prompts)
    assert few.watched == more.watched
    places = [prompts_of("default").index(p) for p in few.prompts]
    assert places == sorted(places)
    assert places[-1] > 400


def test_a_users_bank_loses_what_audits_ask_and_what_names_the_concept():
    own = tuple(f"a thing number {i}" for i in range(40))
    bad = ("The cat", "a photo of a red ball", "A Red BALL!", "my SKS dog in the snow", "a thing Number 3")
    bank = make_bank((*own, *bad), DOG)
    assert bank.left_out == ("The cat", "A Red BALL!", "my SKS dog in the snow", "a thing Number 3")
    assert set(bank.prompts) | set(bank.watched) == {*own, "a photo of a red ball"}
    assert make_bank((*own, "risks of asks"), DOG).left_out == ()


def test_the_digest_knows_both_lists():
    own = tuple(f"a thing number {i}" for i in range(40))
    assert make_bank(own, DOG).digest() == make_bank(own, DOG).digest()
    assert len({make_bank(own, DOG, n).digest() for n in (0, 10, 20)}) == 3


def test_too_small_banks_are_refused():
    with pytest.raises(UsageError, match="one a line"):
        make_bank(tuple(f"a thing number {i}" for i in range(LEAST - 1)), DOG)
    make_bank(tuple(f"a thing number {i}" for i in range(LEAST)), DOG)


def test_bank_files_may_have_a_bom_comments_and_repeats(tmp_path):
    file = tmp_path / "bank.txt"
    file.write_bytes(b"\xef\xbb\xbfa boat  house\r\n# a comment\r\n\r\na boat house\r\n  a caf\xc3\xa9\n")
    assert read_bank(file) == ("a boat house", "a caf\u00e9")


def test_bank_files_that_cannot_be_read_name_the_setting(tmp_path):
    (tmp_path / "big.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    for name in ("big.txt", "missing.txt", "."):
        with pytest.raises(UsageError, match=f"The bank .*{re.escape(name)}") as caught:
            read_bank(tmp_path / name)
        assert caught.value.settings == (Setting("bank"),)


def test_a_bank_is_never_read_as_other_letters(tmp_path):
    prompts = [f"a café at {hour} o'clock" for hour in range(20)]
    (tmp_path / "bank.txt").write_text("\n".join(prompts), encoding="utf-16")
    assert read_bank(tmp_path / "bank.txt") == tuple(prompts)
    (tmp_path / "bank.txt").write_text("\n".join(prompts), encoding="cp1252")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        read_bank(tmp_path / "bank.txt")
