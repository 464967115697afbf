"""Captions with the concept, and the same captions without it."""

import pytest
from owf.core.errors import Setting, UsageError
from owf.core.plan.concept import Concept, tidy

TEMPLATE = "a photo of {}"


@pytest.mark.parametrize(
    ("trigger", "word", "phrase", "pure"),
    [
        ("sks", "dog", "sks dog", "sks"),
        ("sks dog", "dog", "sks dog", "sks"),
        ("sks dog", "", "sks dog", "sks dog"),
        ("sks", "", "sks", "sks"),
        ("dog", "dog", "dog", "dog"),
        ("hotdog", "dog", "hotdog dog", "hotdog"),
        (" sks \t big ", " dog\n", "sks big dog", "sks big"),
    ],
)
def test_phrase_and_pure_trigger(trigger, word, phrase, pure):
    concept = Concept(trigger, word)
    assert (concept.phrase, concept.pure_trigger) == (phrase, pure)


def test_the_template_gets_an_article():
    assert Concept("sks", "dog").caption(TEMPLATE) == "a photo of a sks dog"
    assert Concept("ohwx", "dog").caption(TEMPLATE) == "a photo of an ohwx dog"


@pytest.mark.parametrize(
    ("caption", "stripped"),
    [
        ("a photo of a sks dog", "a photo of an owl"),
        ("A photo of an SKS  owl at night", "A photo of an owl at night"),
        ("the sks owl, sks owl style", "the owl, owl style"),
        ("sks in the rain", "owl in the rain"),
        ("a sks and a sks owl", "an owl and an owl"),
        ("a walk through asks and sksowl", "a photo of an owl"),
        ("", "a photo of an owl"),
    ],
)
def test_stripping_leaves_the_class(caption, stripped):
    caption = caption.replace("dog", "owl")
    assert Concept("sks", "owl").strip(caption, TEMPLATE) == stripped


@pytest.mark.parametrize("trigger", ["<sks>", "c++", "(a|b", r"\d", "スキ", "[x"])
def test_triggers_are_words_not_patterns(trigger):
    concept = Concept(trigger, r"dog\1")
    assert concept.strip(f"a photo of a {trigger} here", TEMPLATE) == r"a photo of a dog\1 here"
    assert concept.named_in(f"some {trigger.upper()}, seen")
    assert not concept.named_in("something else")


def test_stripping_twice_changes_nothing_more():
    concept = Concept("sks dog", "dog")
    once = concept.strip("a sks dog with a dog and sks", TEMPLATE)
    assert once == "a dog with a dog and dog"
    assert not concept.named_in(once)


def test_stripping_needs_a_class():
    with pytest.raises(UsageError, match="kind of thing") as caught:
        Concept("sks", "").strip("a sks", TEMPLATE)
    assert caught.value.settings == (Setting("class_word"),)


def test_what_nobody_sees_is_no_part_of_a_caption():
    assert tidy("\u200b\ufeff\u2060 \xad") == ""
    assert tidy("\ufeff\ufeff a sks\u200bdog ") == "a sks dog"
    assert Concept("\ufeffsks", "dog\u200b").phrase == "sks dog"
