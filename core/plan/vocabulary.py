"""What a damage map asks: thousands of concepts, each a prompt with attributes, from files of few lines. No torch.

A file has sections. Each begins with its name, which is the `kind` of its concepts, and their prompt:

    [food] a photo of {}                     a list: one concept a line, {} or {a}, with article, where it goes
    < imagenet                               the lines of another file of the folder

    [colours] a photo of <{a colour} {thing}>  a product: every combination of the attributes, called what is in <>
    colour: red, green                       levels; {a colour} takes an article
    pattern: plain =, striped = and {next colour} striped    what the prompt says of a level, if not its name
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from ..disk.files import read_regular
from ..disk.text_file import decoded
from ..errors import Setting, UsageError
from ..families.prompt_form import SENTENCES, PromptForm
from ..text import inert
from .audit_plan import with_article
from .concept import tidy

FOLDER = Path(__file__).with_name("vocabularies")
"""The vocabularies that ship: one for each language of prompts, and for families that know little of their own."""

KIND = "kind"
"""Attribute that every concept has: its section."""

_KEPT = 3
"""Version of what is kept of each answer: change it with that, so that nothing older is taken for it."""

MOST_WORDS = 5000
"""Concepts of a user's own: twice what ships."""
_LARGEST = 1_000_000
"""Bytes of a user's file: far more than these."""
_LONGEST = 300
"""Characters of a user's concept: text encoders read about as many."""
_CALLED = {"a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "some", "two", "three", "four", "five"}
"""What a phrase begins with that takes no article."""


@dataclass(frozen=True)
class Concept:
    """One thing that is asked."""

    prompt: str
    """What the base is asked."""
    label: str
    """What people call it."""
    attributes: tuple[tuple[str, str], ...]
    """(attribute, level) pairs, the kind first."""


def shipped_vocabulary(family: str, form: PromptForm) -> tuple[Concept, ...]:
    """Return the vocabulary for bases of a family: a file of its name, for what it knows, or that of their language."""
    own = FOLDER / f"{family}.txt"
    found = _read(own if family and own.is_file() else FOLDER / f"{form.name}.txt")
    return tuple(Concept(form.worded(c.prompt), c.label, c.attributes) for c in found)


def words_vocabulary(words: Sequence[str], form: PromptForm) -> tuple[Concept, ...]:
    """Return a concept for each of a user's words."""
    template = "a photo of {}" if form.name == SENTENCES else "{}"
    named = _phrase if form.name == SENTENCES else str
    return tuple(Concept(form.worded(template.replace("{}", named(w))), w, ((KIND, "yours"),)) for w in words)


def vocabulary_digest(concepts: Iterable[Concept], instead: Iterable[Concept]) -> str:
    """Return the SHA-256 of everything that a vocabulary asks and says, and of what may be asked `instead`."""
    asked, others = ([(c.prompt, c.label, c.attributes) for c in each] for each in (concepts, instead))
    return hashlib.sha256(repr((_KEPT, asked, others)).encode()).hexdigest()


def parse_words(text: str, source: str = "") -> tuple[str, ...]:
    """Return a user's words, separated by lines, or by commas where there is one line; each once.

    Letters are composed, and what nobody sees is left out: words that look the same are the same, and so are those that
    differ in capitals alone, which most text encoders read alike. All else that is asked would be the same thing.

    Raises UsageError that names the `source` for none, too many, or one that is no phrase.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    parts = lines[0].split(",") if len(lines) == 1 else lines
    known: dict[str, str] = {}
    for word in filter(None, (unicodedata.normalize("NFC", tidy(part)) for part in parts)):
        known.setdefault(word.casefold(), word)
    words = tuple(known.values())
    place, setting = f"{source}: " if source else "", Setting("words")
    if not words:
        raise UsageError(f"{place}There are no words to ask about.", setting)
    if len(words) > MOST_WORDS:
        raise UsageError(f"{place}{len(words)} words are more than {MOST_WORDS}.", setting)
    if long := [word for word in words if len(word) > _LONGEST]:
        said = f"{place}{inert(long[0], 60)!r} has {len(long[0])} characters; a prompt holds {_LONGEST}."
        raise UsageError(said, setting)
    return words


def read_words(path: Path) -> tuple[str, ...]:
    """Return the words in a user's file; raises UsageError for what is no text."""
    name = inert(path.name, 200)
    try:
        return parse_words(decoded(read_regular(path, _LARGEST)), name)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise UsageError(f"{name} cannot be read: {why}.", Setting("words")) from error


def _phrase(words: str) -> str:
    return words if words.split()[0].lower() in _CALLED or words.split()[0].isdigit() else with_article(words)


@cache
def _read(path: Path) -> tuple[Concept, ...]:
    """Return the concepts of a file that ships; what is called like one before it is that one, and asked once."""
    found: dict[str, Concept] = {}
    for kind, template, lines in _sections(path):
        for concept in _product(kind, template, lines) if _named(template) else _list(kind, template, lines):
            found.setdefault(concept.label, concept)
    return tuple(found.values())


def _sections(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (kind, prompt, lines) of each section of a file."""
    kind, template, lines = "", "", []
    for line in _lines(path):
        if heading := re.fullmatch(r"\[([^]]+)\] (.+)", line):
            if kind:
                yield kind, template, lines
            (kind, template), lines = heading.groups(), []
        elif line.startswith("< "):
            lines += _lines(path.with_name(f"{line[2:]}.txt"))
        else:
            lines.append(line)
    yield kind, template, lines


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def _list(kind: str, template: str, lines: Sequence[str]) -> Iterator[Concept]:
    for line in lines:
        prompt = template.replace("{a}", with_article(line)).replace("{}", line)
        yield Concept(prompt, line, ((KIND, kind),))


_SLOT = re.compile(r"\{(a |next )?(\w+)\}")


def _named(template: str) -> list[str]:
    """Return the attributes that a prompt names; a list's names none."""
    return [name for _, name in _SLOT.findall(template) if name != "a"]


def _product(kind: str, template: str, lines: Sequence[str]) -> Iterator[Concept]:
    levels = dict(_levels(line) for line in lines)
    start, end = template.index("<"), template.index(">")
    called, template = template[start + 1 : end], template[:start] + template[start + 1 : end] + template[end + 1 :]
    called = f"{{{called[3:]}" if called.startswith("{a ") else called
    for chosen in product(*(range(len(levels[name])) for name in levels)):
        places = dict(zip(levels, chosen, strict=True))
        prompt = _filled(template, levels, places)
        label = _filled(called, levels, places)
        names = tuple((name, levels[name][place][0]) for name, place in places.items())
        yield Concept(prompt, label, ((KIND, kind), *names))


def _levels(line: str) -> tuple[str, list[tuple[str, str]]]:
    """Return an attribute and its (level, words) pairs."""
    name, _, listed = line.partition(":")
    parts = [part.partition("=") for part in listed.split(",")]
    return name.strip(), [(level.strip(), words.strip() if equal else level.strip()) for level, equal, words in parts]


def _filled(template: str, levels: dict[str, list[tuple[str, str]]], places: dict[str, int]) -> str:
    def word(slot: re.Match[str]) -> str:
        how, name = slot.groups()
        known = levels[name]
        words = known[(places[name] + (how == "next ")) % len(known)][1]
        return with_article(words) if how == "a " else words

    # Twice, for words that name a level themselves.
    return " ".join(_SLOT.sub(word, _SLOT.sub(word, template)).split())
