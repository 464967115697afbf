"""The vocabularies that ship are large, asked once each, and apart from what trainings are told to keep."""

import math

import pytest
import vocabulary as written
from owf.core.errors import UsageError
from owf.core.families.prompt_form import IN_SENTENCES, IN_TAGS
from owf.core.plan.presets import audit_prompts
from owf.core.plan.vocabulary import (
    FOLDER,
    KIND,
    MOST_WORDS,
    Concept,
    parse_words,
    read_words,
    shipped_vocabulary,
    vocabulary_digest,
    words_vocabulary,
)
from owf.core.train.data.bank import normal, read_bank, shipped_bank

LISTS = {"things", "animals", "people", "places", "food", "vehicles"}
PRODUCTS = {"materials", "styles", "colours", "counts", "relations"}
FORMS = {form.name: form for form in (IN_SENTENCES, IN_TAGS)}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_real_bases_are_asked_two_thousand_concepts_of_every_kind(form):
    found = shipped_vocabulary("sd15", form)
    assert len(found) >= 2000
    assert len({c.prompt for c in found}) == len({c.label for c in found}) == len(found)
    assert {dict(c.attributes)[KIND] for c in found} == LISTS | PRODUCTS
    assert not [c for c in found if {"{", "}"} & set(c.prompt) or "<" in c.prompt]
    assert all(c.prompt.startswith(form.prefix) for c in found)


@pytest.mark.parametrize(("family", "form"), [("sd15", IN_SENTENCES), ("sdxl", IN_TAGS)])
def test_no_training_bank_and_no_other_metric_asks_them(family, form):
    """The demo's world is too small for that: its bank names some of it, too."""
    asked = {normal(c.prompt.removeprefix(f"{form.prefix}, ")) for c in shipped_vocabulary(family, form)}
    assert not asked & {normal(prompt) for prompt in read_bank(shipped_bank(family, form.name))}
    assert not asked & {normal(prompt) for prompt in audit_prompts()}


def test_the_demo_is_asked_every_combination():
    found = shipped_vocabulary("demo", IN_SENTENCES)
    levels = {name: {dict(c.attributes)[name] for c in found} for name in ("class", "colour", "pattern", "background")}
    assert len(found) == math.prod(len(names) for names in levels.values()) == 10 * 11 * 5 * 5
    by_label = {c.label: c.prompt for c in found}
    assert by_label["red sneaker on a grey background"] == "a photo of a red sneaker on a grey background"
    assert (
        by_label["orange and yellow dotted ankle boot on a teal background"]
        == "a photo of an orange and yellow dotted ankle boot on a teal background"
    )
    assert "a photo of a brown and black checked bag on a beige background" in by_label.values()


def test_the_demos_file_is_what_its_command_writes():
    from demo_base.world.world import BACKGROUNDS, CLASSES, COLORS, PATTERNS

    assert written.demo(CLASSES, COLORS, PATTERNS, BACKGROUNDS) == (FOLDER / "demo.txt").read_text("utf-8")


def test_imagenets_file_is_what_its_command_writes():
    assert written.imagenet() == (FOLDER / "imagenet.txt").read_text("utf-8")


def test_a_users_words_are_asked_with_an_article_where_they_have_none():
    words = parse_words("red car,  my dog ,an apple,red car,3 cats")
    assert words == ("red car", "my dog", "an apple", "3 cats")
    prompts = [c.prompt for c in words_vocabulary(words, IN_SENTENCES)]
    assert prompts == ["a photo of a red car", "a photo of my dog", "a photo of an apple", "a photo of 3 cats"]
    assert words_vocabulary(("red car",), IN_TAGS)[0].prompt == f"{IN_TAGS.prefix}, red car"


def test_a_file_of_words_has_one_a_line(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("# mine\nred car, parked\n\nmy dog\n", "utf-8")
    assert read_words(file) == ("red car, parked", "my dog")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no words"), ("# only this\n", "no words"), (" , ,", "no words"), ("x" * 301, "301 characters")],
)
def test_what_is_no_list_of_words_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_words(text)


def test_too_many_words_are_refused():
    with pytest.raises(UsageError, match=f"{MOST_WORDS + 1} words"):
        parse_words("\n".join(f"thing {i}" for i in range(MOST_WORDS + 1)))


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"a\x00\x01\x02b", b"caf\xe9"])
def test_a_file_that_is_no_text_is_refused_by_name(tmp_path, content):
    file = tmp_path / "words.txt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"words\.txt"):
        read_words(file)
    with pytest.raises(UsageError, match=r"words\.txt|cannot be read"):
        read_words(tmp_path / "none" / "words.txt")


def test_the_digest_is_that_of_everything_asked():
    concept = Concept("a photo of a cat", "cat", ((KIND, "animals"),))
    other = Concept("a photo of a cat", "cat", ((KIND, "things"),))
    assert vocabulary_digest([concept], []) != vocabulary_digest([other], [])
    assert vocabulary_digest([concept], [concept]) != vocabulary_digest([concept], [other])
    assert vocabulary_digest([concept, other], []) != vocabulary_digest([other, concept], [])


def test_words_that_look_the_same_are_the_same():
    assert parse_words("cafe\u0301,caf\u00e9,ca\u200dfe\u0301, \u2066caf\u00e9\u2069") == ("caf\u00e9",)
    assert parse_words("Red car,red car,my dog,RED CAR,My Dog") == ("Red car", "my dog")
    with pytest.raises(UsageError, match="no words"):
        parse_words("\u200b,\ufeff\n")
    assert parse_words("red\0car,\udcff") == ("red car", "?")
