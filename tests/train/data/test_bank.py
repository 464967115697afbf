"""Banks: what is preserved is never what audits ask, nor what drift is watched on."""

import random
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from demo_base.world.world import BACKGROUNDS, CLASSES, COLORS, PATTERNS, article
from owf.core import families
from owf.core.errors import Setting, UsageError
from owf.core.families.prompt_form import IN_SENTENCES, TAGS
from owf.core.model.diffusion.denoiser import TrainableDenoiser
from owf.core.plan.concept import Concept
from owf.core.plan.demo import THINGS
from owf.core.plan.presets import COMMON_CLASSES, audit_prompts
from owf.core.plan.prompts import COLOR_TERMS
from owf.core.plan.tag_prompts import CLASS_TAGS, COLORED_TAGS
from owf.core.plan.tag_prompts import TAGS as AUDIT_TAGS
from owf.core.train.data.bank import LEAST, MAX_BYTES, WATCHED, make_bank, normal, read_bank, shipped_bank
from owf.core.train.plan import TrainPlan
from owf.core.train.session import TrainRequest, TrainSession

DOG = Concept("sks", "dog")
SHIPPED = {
    "default": shipped_bank("sd15"),
    "demo": shipped_bank("demo"),
    "tags": shipped_bank("sdxl", TAGS),
}
ASKED = {normal(prompt) for prompt in audit_prompts()}


def prompts_of(name):
    return read_bank(SHIPPED[name])


@pytest.mark.parametrize(("name", "least"), [("default", 500), ("demo", 400), ("tags", 400)])
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


def test_no_order_of_tags_makes_a_bank_ask_what_audits_ask():
    """What says only how a picture is framed, or that nobody is in it, tells no two prompts apart."""
    filler = {"no humans", "solo", "animal focus", "food focus", "still life", "scenery", "indoors", "1girl", "1boy"}

    def meant(prompt):
        return frozenset(tag.strip() for tag in prompt.split(",")) - filler - {"traditional media"}

    asked = {meant(text) for every in AUDIT_TAGS.values() for text in every}
    asked |= {meant(tags.format(term)) for tags in COLORED_TAGS for term in (*COLOR_TERMS, "grey")}
    asked |= {meant(CLASS_TAGS.format(name)) for name in COMMON_CLASSES}
    assert not {meant(prompt) for prompt in prompts_of("tags")} & asked


def test_the_bank_of_tags_has_the_lengths_that_people_write():
    counts = [prompt.count(",") + 1 for prompt in prompts_of("tags")]
    assert min(counts) <= 2
    assert max(counts) >= 10
    assert sum(count <= 4 for count in counts) > 100
    assert sum(count >= 8 for count in counts) > 25
    assert not [prompt for prompt in prompts_of("tags") if set(prompt) & set("()[]{}:<>|\\_")]


def test_a_bank_in_tags_is_put_as_its_base_is_asked():
    form = families.get("sdxl").prompt_form("auto", ["ponyDiffusionV6XL"])
    plain = make_bank(prompts_of("tags"), DOG)
    put = plain.put(form)
    assert put.prompts == tuple(f"{form.prefix}, {prompt}" for prompt in plain.prompts)
    assert put.watched == tuple(f"{form.prefix}, {prompt}" for prompt in plain.watched)
    assert put.form == form
    assert plain.put(IN_SENTENCES) == plain
    assert (
        len(
            {
                bank.digest()
                for bank in (plain, put, *(replace(put, form=replace(form, negative=text)) for text in ("", "x")))
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("family", "name", "asked", "shipped", "prefix"),
    [
        ("sdxl", "ponyDiffusionV6XL", "auto", "tags", "score_9, "),
        ("sdxl", "sd_xl_base_1.0", "auto", "default", ""),
        ("sdxl", "ponyDiffusionV6XL", "sentences", "default", ""),
        ("sd15", "ponyDiffusion", "auto", "default", ""),
        ("sd15", "anything", "tags", "tags", "masterpiece, "),
        ("demo", "OWF demo base", "auto", "demo", ""),
    ],
)
def test_a_training_takes_the_bank_in_the_language_of_its_base(family, name, asked, shipped, prefix):
    session = TrainSession(TrainRequest(TrainPlan(class_word="dog", prompt_form=asked), ()))
    base = cast(TrainableDenoiser, SimpleNamespace(family=family, name=name, resolution=64))
    bank = session.on(base).bank
    plain = make_bank(prompts_of(shipped), DOG)
    assert [prompt[len(bank.prompts[0]) - len(plain.prompts[0]) :] for prompt in bank.prompts] == list(plain.prompts)
    assert bank.prompts[0].startswith(prefix)
    assert bool(bank.form.negative) == bool(prefix)
    assert (bank == plain) == (not prefix)


def test_prompts_of_the_user_stay_as_they_are():
    own = tuple(f"a thing number {i}" for i in range(40))
    session = TrainSession(TrainRequest(TrainPlan(class_word="dog"), (), bank=own))
    base = cast(TrainableDenoiser, SimpleNamespace(family="sdxl", name="pony", resolution=64))
    bank = session.on(base).bank
    assert {*bank.prompts, *bank.watched} == set(own)
    assert "score_4" in bank.form.negative


def test_the_default_bank_has_the_lengths_that_people_write():
    lengths = [len(p.split()) for p in prompts_of("default")]
    assert min(lengths) <= 3
    assert max(lengths) >= 20
    assert sum(length <= 4 for length in lengths) > 40
    assert sum(length >= 12 for length in lengths) > 25


def test_the_demo_bank_follows_from_the_demo_world():
    colors, unasked = list(COLORS), [thing for thing in CLASSES if thing not in THINGS]
    grounds = [f" on {article(ground)} background" for ground in BACKGROUNDS]
    short = ("{}", "a picture of {}", "an image of {}", "a photograph of {}", "this is {}")
    expected = {text.format(article(thing)) for thing in CLASSES for text in short}
    expected |= {f"a photo of {article(thing)}{ground}" for thing in CLASSES for ground in grounds}
    expected |= {f"a photo of {article(f'{pattern} {thing}')}" for thing in CLASSES for pattern in PATTERNS[1:]}
    for i, thing in enumerate(unasked):
        for j, color in enumerate(colors):
            colored = f"a photo of {article(f'{color} {thing}')}"
            expected |= {colored, *(colored + grounds[(i + j + k) % len(grounds)] for k in range(2))}
        for j, pattern in enumerate(PATTERNS[1:]):
            for k in range(4):
                first = 4 * (4 * i + j) + k
                pair = [colors[c % len(colors)] for c in (first, first + 1 + (i + j + 3 * k) % 10)]
                patterned = f"a photo of {article(f'{pair[0]} and {pair[1]} {pattern} {thing}')}"
                expected |= {patterned, patterned + grounds[first % len(grounds)]}
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
