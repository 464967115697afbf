"""The open-world bank: concept-free prompts that drift correction preserves, and those held out to watch it. No torch.

What audits ask is held out from every bank: a preservation that was trained on the test would prove nothing.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ...disk.files import open_regular
from ...disk.text_file import decoded
from ...errors import Setting, UsageError
from ...families.prompt_form import IN_SENTENCES, SENTENCES, TAGS, PromptForm
from ...plan.concept import Concept, tidy
from ...plan.presets import audit_prompts
from ...text import counted

BANKS = Path(__file__).resolve().parent / "banks"
_OF_FORMS = {SENTENCES: BANKS / "open_world.txt", TAGS: BANKS / "tags.txt"}
"""Language -> several hundred everyday prompts: objects, animals, people, scenes, styles and the eleven basic colour
terms."""

MAX_BYTES = 10**7
"""Bytes of a bank that are read: a hundred thousand prompts, where a few hundred are enough."""
WATCHED = 32
"""Prompts that are held out from training, to measure drift on while it runs."""
LEAST = 16
"""Prompts without which a bank is no open world."""


@dataclass(frozen=True)
class Bank:
    """Prompts to preserve, and prompts to watch."""

    prompts: tuple[str, ...]
    """Preserved in training."""
    watched: tuple[str, ...]
    """Never trained on; drift is measured on them."""
    left_out: tuple[str, ...] = ()
    """Prompts of the file that audits ask, that name the concept, or that are there already."""
    form: PromptForm = IN_SENTENCES
    """How the base is asked that draws them: away from its negative."""

    def digest(self) -> str:
        """Return the SHA-256 over both lists, and what is drawn away from, if that is anything."""
        negative = ("", self.form.negative) if self.form.negative else ()
        return hashlib.sha256("\n".join((*self.prompts, "", *self.watched, *negative)).encode()).hexdigest()

    def put(self, form: PromptForm) -> "Bank":
        """Return the bank as a base is asked in a form: behind its prefix, and drawn away from its negative."""
        prompts, watched = (tuple(map(form.worded, texts)) for texts in (self.prompts, self.watched))
        return replace(self, prompts=prompts, watched=watched, form=form)


def read_bank(path: Path) -> tuple[str, ...]:
    """Return the prompts of a text file, one a line; empty lines and lines that begin with # say nothing."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The bank {path} cannot be read: {error}.", Setting("bank")) from error
    if len(content) > MAX_BYTES:
        said = f"The bank {path} has more than {MAX_BYTES // 10**6} MB; a few hundred prompts are enough."
        raise UsageError(said, Setting("bank"))
    try:
        text = decoded(content)
    except ValueError as error:
        raise UsageError(f"The bank {path} cannot be read: {error}.", Setting("bank")) from error
    lines = map(tidy, text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def shipped_bank(family: str, form: str = SENTENCES) -> Path:
    """Return the file that ships for bases of a family: one of its name, for what it knows, or that of the language."""
    own = BANKS / f"{family}.txt"
    return own if own.is_file() else _OF_FORMS[form]


def make_bank(prompts: tuple[str, ...], concept: Concept, limit: int = 0) -> Bank:
    """Return the bank of these prompts without the audits' own and without any that names the concept.

    Of prompts that differ in articles and capitals alone, the first stays. About one prompt in ten, chosen by its
    hash, is watched and never trained on. `limit` (0: all) keeps so many of the others, also by their hash: the first
    of a file would all be of one kind. Raises UsageError where too few are left.
    """
    asked = {normal(prompt) for prompt in audit_prompts()}
    differing = {normal(prompt): prompt for prompt in reversed(prompts)}
    kept = [p for p in prompts if normal(p) not in asked and differing[normal(p)] == p and not concept.named_in(p)]
    if len(kept) < LEAST:
        raise UsageError(
            f"The bank has {counted(len(kept), 'prompt')} that neither name the concept nor are asked by audits; "
            f"at least {LEAST} are needed, better hundreds, one a line of its file.",
            Setting("bank"),
        )
    ranked = sorted(kept, key=lambda p: hashlib.sha256(normal(p).encode()).digest())
    count = max(LEAST // 4, min(WATCHED, len(kept) // 10))
    watched, trained, known = set(ranked[:count]), set(ranked[count:][: limit or None]), set(kept)
    return Bank(
        tuple(p for p in kept if p in trained),
        tuple(p for p in kept if p in watched),
        tuple(p for p in prompts if p not in known),
    )


def normal(prompt: str) -> str:
    """Return a prompt in the form in which two prompts are compared: words in lower case, no articles."""
    words = re.findall(r"\w+", prompt.lower())
    return " ".join(word for word in words if word not in {"a", "an", "the"})
