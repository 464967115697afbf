"""In which language a base is asked: sentences, or the tags of a booru with what its makers put before them. No torch.

Models that were trained on tags answer sentences too, but outside of what they know: what an audit measures there is
not the model that people use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

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


def form_by_name(children: Iterable[Child], names: Iterable[str]) -> PromptForm | None:
    """Return the form of the first child that fits the surest name that fits any; None where none does."""
    known, spaced = tuple(children), (_spaced(name[:_LONGEST]) for name in names)
    return next((child.form for name in spaced for child in known if re.search(child.named, name)), None)


def _spaced(name: str) -> str:
    """Return a name in small words, with spaces for punctuation and before capitals that follow small letters."""
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).lower().split())
