"""Other looks of the concept's class: what the base draws for retrieval. No torch."""

from pathlib import Path

from ...families.prompt_form import IN_SENTENCES, SENTENCES, TAGS, PromptForm
from ...plan.concept import Concept
from ...verdict.learning import CONCEPTS

FOLDER = Path(__file__).with_name("looks")
_OF_FORMS = {SENTENCES: FOLDER / "open_world.txt", TAGS: FOLDER / "tags.txt"}
"""Language -> looks that any base can give to most things and beings."""


def shipped_looks(family: str, form: str = SENTENCES) -> Path:
    """Return the file that ships for bases of a family: one of its name, for what it knows, or that of the language."""
    own = FOLDER / f"{family}.txt"
    return own if own.is_file() else _OF_FORMS[form]


def looks(concept: Concept, family: str, form: PromptForm = IN_SENTENCES) -> tuple[str, ...]:
    """Return the prompts of one look less than `CONCEPTS`, none of which names the concept, as a base is asked.

    There are none where nobody says the class, or where a trigger such as "a photo" leaves too few.
    """
    if not concept.class_word:
        return ()
    lines = shipped_looks(family, form.name).read_text("utf-8").splitlines()
    prompts = (line.replace("{}", concept.class_word) for line in lines if line and not line.startswith("#"))
    found = tuple(prompt for prompt in prompts if not concept.named_in(prompt))[: CONCEPTS - 1]
    return tuple(map(form.worded, found)) if len(found) == CONCEPTS - 1 else ()
