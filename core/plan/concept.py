"""What a LoRA was trained on, by its words: where captions name it, and the same captions without it. No torch."""

import re
from dataclasses import dataclass

from ..errors import Setting, UsageError
from ..text import without_unseen
from .audit_plan import with_article

CAPTION = "a photo of {}"
"""How trainings caption pictures that have no caption, and audits ask for a concept."""


@dataclass(frozen=True)
class Concept:
    """How the concept is called."""

    trigger: str
    """The word, or words, that call it."""
    class_word: str
    """What kind of thing it is; empty where nobody said."""

    def __post_init__(self) -> None:
        for name in ("trigger", "class_word"):
            object.__setattr__(self, name, tidy(getattr(self, name)))

    @property
    def phrase(self) -> str:
        """Trigger and class, such as "sks dog"; a trigger that ends in its class already has both."""
        if _ends_with(self.trigger, self.class_word):
            return self.trigger
        return f"{self.trigger} {self.class_word}".strip()

    @property
    def pure_trigger(self) -> str:
        """The trigger without its class: "sks" of "sks dog"."""
        if not self.class_word or not _ends_with(self.trigger, self.class_word):
            return self.trigger
        return self.trigger[: -len(self.class_word)].strip() or self.trigger

    def caption(self, template: str) -> str:
        """Return the template with the concept's phrase and its article where {} is."""
        return template.replace("{}", with_article(self.phrase))

    def named_in(self, text: str) -> bool:
        """Return whether the trigger occurs in the text."""
        return re.search(_pattern(self.pure_trigger), text, re.IGNORECASE) is not None

    def is_meant_by(self, text: str) -> bool:
        """Return whether trigger or class occurs in the text."""
        words = [word for word in (self.pure_trigger, self.class_word) if word]
        return any(re.search(_pattern(word), text.replace("_", " "), re.IGNORECASE) for word in words)

    def require_class(self) -> None:
        """Raise UsageError where nobody said what kind of thing the concept is."""
        if not self.class_word:
            raise UsageError("Say what kind of thing the concept is, such as dog.", Setting("class_word"))

    def strip(self, caption: str, template: str) -> str:
        """Return the caption with the concept's phrase replaced by its class.

        A caption that does not name the concept has nothing to strip, and preserving it would work against the
        concept itself: the template with the class stands in for it. Raises UsageError without a class.
        """
        self.require_class()
        names = rf"({_pattern(self.phrase)}|{_pattern(self.pure_trigger)})"
        text, found = re.subn(rf"(\ban?\s+)?{names}", self._class_instead, caption, flags=re.IGNORECASE)
        return text if found else template.replace("{}", with_article(self.class_word))

    def _class_instead(self, match: re.Match[str]) -> str:
        return with_article(self.class_word) if match[1] else self.class_word


def tidy(text: str) -> str:
    """Return the text on one line, without what nobody sees, nor any encoding can write (as in odd file names)."""
    return " ".join(without_unseen(text.encode(errors="replace").decode().replace("\0", " ")).split())


def _ends_with(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(^|\s){re.escape(word)}$", text, re.IGNORECASE) is not None


def _pattern(words: str) -> str:
    spaced = r"\s+".join(map(re.escape, words.split()))
    return rf"(?<!\w){spaced}(?!\w)"
