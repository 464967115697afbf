"""In which language a base is asked: sentences, or the tags of a booru with what its makers put before them. No torch.

Models that were trained on tags answer sentences too, but outside of what they know: what an audit measures there is
not the model that people use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import Setting, UsageError

SENTENCES, TAGS, AUTO = "sentences", "tags", "auto"
FORMS = (SENTENCES, TAGS)
ASKED_FORMS = (AUTO, *FORMS)
"""What may be asked for; auto decides by the base."""

TAG_FAMILIES = ("sdxl",)
"""Families whose children learned from tags and are told by their names. Those of SD1 are asked in sentences as ever,
unless tags are asked for: a report on them stays what it was."""
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
_WORST = "worst quality, low quality, lowres, bad anatomy, bad hands, jpeg artifacts, signature, watermark, nsfw"
IN_TAGS = PromptForm(TAGS, "masterpiece, best quality", _WORST)
"""For a base of which no more is known than that it understands tags."""

_CHILDREN = (
    # NoobAI comes before Illustrious, from which it was made and whose name its merges bear too.
    (r"noob|nai ?xl", PromptForm(TAGS, "masterpiece, best quality, newest, absurdres, safe", f"{_WORST}, old, early")),
    (r"animagine", PromptForm(TAGS, "masterpiece, best quality, very aesthetic, absurdres, safe", _WORST)),
    # "IL" is how merges abbreviate Illustrious.
    (r"illustrious|\bil ?(?:xl|v ?\d.*)?\b", PromptForm(TAGS, "masterpiece, best quality, absurdres, general", _WORST)),
    (
        r"pony(?!tail)|autism ?mix|score 9",
        PromptForm(TAGS, "score_9, score_8_up, score_7_up, rating_safe", "score_6, score_5, score_4, rating_explicit"),
    ),
    (r"kohaku|hassaku|counterfeit|anima ?pencil|\banime\b", IN_TAGS),
)
"""What the name of a child of such a family has in it -> how it is asked; the first that fits counts."""


def tag_forms() -> tuple[PromptForm, ...]:
    """Return every form in tags, each once."""
    return tuple(dict.fromkeys([IN_TAGS, *(form for _, form in _CHILDREN)]))


def prompt_form(asked: str, family: str, names: Iterable[str]) -> PromptForm:
    """Return the form in which a base of a family is asked, known by its names, the surest first.

    `asked` is one of `ASKED_FORMS`. Names are hub ids, file names, and what a checkpoint's metadata say of it. Raises
    UsageError for tags on the demo base, which learned from sentences alone.
    """
    if asked == SENTENCES or (asked == AUTO and family not in TAG_FAMILIES):
        return IN_SENTENCES
    if family == "demo":
        raise UsageError("The demo base learned from sentences and knows no tags.", Setting("prompt_form", SENTENCES))
    spaced = [_spaced(name[:_LONGEST]) for name in names]
    known = next((form for name in spaced for pattern, form in _CHILDREN if re.search(pattern, name)), None)
    return known or (IN_TAGS if asked == TAGS else IN_SENTENCES)


def _spaced(name: str) -> str:
    """Return a name in small words, with spaces for punctuation and before capitals that follow small letters."""
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).lower().split())
