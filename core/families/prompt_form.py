"""In which language a base is asked: sentences, or the tags of a booru with what its makers put before them. No torch.

Models that were trained on tags answer sentences too, but outside of what they know: what an audit measures there is
not the model that people use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

SENTENCES, TAGS, AUTO = "sentences", "tags", "auto"
FORMS = (SENTENCES, TAGS)
ASKED_FORMS = (AUTO, *FORMS)
"""What may be asked for; auto decides by the base."""
_LONGEST = 20_000
"""Characters of a name or of metadata that are searched."""


@dataclass(frozen=True)
class PromptForm:
    """How prompts are put to a base."""

    name: str = SENTENCES
    """`SENTENCES` or `TAGS`."""
    prefix: str = ""
    """Tags of quality before every prompt; empty for sentences."""
    negative: str = ""
    """What guidance leads away from, in place of the empty prompt."""

    def worded(self, prompt: str) -> str:
        """Return a prompt with the prefix before it."""
        return f"{self.prefix}, {prompt}" if self.prefix else prompt


IN_SENTENCES = PromptForm()
IN_TAGS = PromptForm(
    TAGS,
    "masterpiece, best quality",
    "worst quality, low quality, lowres, bad anatomy, bad hands, jpeg artifacts, signature, watermark, nsfw",
)
"""For a base of which no more is known than that it understands tags."""


@dataclass(frozen=True)
class Child:
    """What people train from the bases of a family, and ask in a language of its own."""

    named: str
    """Regular expression of something in its names, which are searched in small words; an empty one fits all."""
    form: PromptForm
    """How it is asked."""
    clip_skip: int = 1
    """Layer of the text encoder, counted from its last, at which its prompts are read, as hosts count."""


class Named(Protocol):
    """What is known by a regular expression of something in its names, which are searched in small words."""

    @property
    def named(self) -> str:
        """Return the expression; an empty one fits all."""
        ...


Kind = TypeVar("Kind", bound=Named)


def by_name(kinds: Iterable[Kind], names: Iterable[str]) -> Kind | None:
    """Return the first kind that fits the surest name that fits any; None where none does."""
    known, spaced = tuple(kinds), (_spaced(name[:_LONGEST]) for name in names)
    return next((kind for name in spaced for kind in known if re.search(kind.named, name)), None)


def _spaced(name: str) -> str:
    """Return a name in small words, with spaces for punctuation and before capitals that follow small letters."""
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).lower().split())
