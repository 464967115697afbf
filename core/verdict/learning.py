"""Was it learned what was to be learned? LEARNED, NOT LEARNED or NOT SHOWN, from numbers with intervals. No torch.

- Fidelity says yes where its whole interval is at least `LEAST`, no where all of it lies below, and nothing where it
  holds both or was not measured.
- Retrieval says yes where its interval lies above chance and above what the base does by itself. It says no where it
  does not, and views of the concept are told from other looks clearly more often than what the trigger draws.
- LEARNED needs both: fidelity alone could be a look between all things, retrieval alone a faint likeness. One no is
  NOT LEARNED. Anything else is NOT SHOWN.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import Setting, with_words
from ..metrics.measurement import Estimate
from ..metrics.metric import Quantity

VERSION = 1
"""Version of the definition in docs/metrics.md."""
LEARNED, NOT_LEARNED, NOT_SHOWN = "LEARNED", "NOT LEARNED", "NOT SHOWN"

LEAST = 0.5
"""Fidelity from which a concept counts as learned: nearer to the best that the base could draw than to what it drew."""
CONCEPTS = 20
"""Looks among which the concept is looked for, itself among them."""
CHANCE = 1 / CONCEPTS
"""Share of pictures that retrieve the concept if they show nothing of it."""

QUANTITIES: Mapping[str, Quantity] = {
    "fidelity": Quantity("Concept fidelity", is_level=True, metadata="fidelity"),
    "retrieval": Quantity("Retrieved among 20 looks", is_level=True, metadata="retrieval"),
    "retrieval_ceiling": Quantity("Retrieved, views of the concept", is_level=True),
    "copied": Quantity("Nearly a training picture", is_level=True, metadata="copied"),
}
"""Estimate -> how it is called; a floor is what the base's pictures of the same prompt read."""


@dataclass(frozen=True)
class Learning:
    """What a training taught, and how that is known."""

    decision: str
    """LEARNED, NOT LEARNED or NOT SHOWN."""
    reasons: tuple[str, ...]
    """Plain sentences: what was seen, then what would change it."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Of `QUANTITIES`, those that could be measured."""
    facts: dict[str, str | int | float] = field(default_factory=dict)
    """Prompt, networks, which views were compared with, and the cosines behind the fidelity."""
    version: int = VERSION
    """Version of the definition."""
    settings: tuple[Setting, ...] = field(default=(), compare=False)
    """What the last reason says to change; for the host of the run alone, so no report on disk has it."""

    @property
    def summary(self) -> str:
        """Return it in a few words and a number, such as "learned 83 % (76 to 90)"."""
        fidelity, retrieval = self.estimates.get("fidelity"), self.estimates.get("retrieval")
        if fidelity is not None:
            return f"learned {shown(fidelity)}"
        if retrieval is not None:
            return f"retrieved among {CONCEPTS} looks {shown(retrieval)}, fidelity not measured"
        return "learned: not measured"

    def worded(self, word: Callable[[Setting], str]) -> tuple[str, ...]:
        """Return the reasons, the last with a host's words for the settings; see `with_words`."""
        return self.reasons[:-1] + tuple(with_words(reason, self.settings, word) for reason in self.reasons[-1:])


def shown(estimate: Estimate) -> str:
    """Return a share with its interval, such as "83 % (76 to 90)"."""
    return f"{100 * estimate.value:.0f} % ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def decide(estimates: Mapping[str, Estimate]) -> str:
    """Return the decision that the numbers lead to."""
    answers = (_fidelity_says(estimates), _retrieval_says(estimates))
    if False in answers:
        return NOT_LEARNED
    return LEARNED if answers == (True, True) else NOT_SHOWN


def _fidelity_says(estimates: Mapping[str, Estimate]) -> bool | None:
    found = estimates.get("fidelity")
    if found is None or found.low < LEAST <= found.high:
        return None
    return found.low >= LEAST


def _retrieval_says(estimates: Mapping[str, Estimate]) -> bool | None:
    found, ceiling = estimates.get("retrieval"), estimates.get("retrieval_ceiling")
    if found is None or ceiling is None:
        return None
    if found.low > max(CHANCE, found.floor or 0.0):
        return True
    return False if found.high < ceiling.low else None


def judge_learning(estimates: dict[str, Estimate], facts: dict[str, str | int | float]) -> Learning:
    """Return the verdict on what was measured, with its reasons; `facts` are kept as they are."""
    decision = decide(estimates)
    seen = [*_likeness(estimates), *_autoencoder(facts), *_retrieval(estimates), *_copies(estimates)]
    if decision == LEARNED:
        return Learning(decision, tuple(seen), estimates, facts)
    if decision == NOT_LEARNED:
        return Learning(decision, (*seen, _MEND), estimates, facts, settings=_MENDED_BY)
    return Learning(decision, (*seen, _SHOW), estimates, facts, settings=(Setting("validation"),))


def not_measured(reason: str, *settings: Setting) -> Learning:
    """Return that nothing is shown, for a reason that is a sentence, and what may be changed."""
    return Learning(NOT_SHOWN, (reason,), settings=settings)


_MEND = "Train for more steps, at a higher rate, with less drift correction, or from more or better pictures."
_MENDED_BY = (Setting("steps"), Setting("rate"), Setting("dc_weight"))
_SHOW = "Whether it was learned is not shown: compare with more pictures of the concept, which are not trained on."


def _likeness(estimates: Mapping[str, Estimate]) -> list[str]:
    found = estimates.get("fidelity")
    if found is None:
        return [
            "Fidelity cannot be measured: how far the base's pictures are from the best that its autoencoder can draw "
            "of the concept is hardly known from these views, or next to nothing."
        ]
    least = f"{100 * LEAST:.0f} %"
    meaning = {True: f"at least {least}", False: f"less than {least}", None: f"which may be more or less than {least}"}
    return [
        f"From the base's pictures to the best that can be drawn of the concept, the trigger's went {shown(found)} of "
        f"the way, {meaning[_fidelity_says(estimates)]}."
    ]


def _autoencoder(facts: Mapping[str, str | int | float]) -> list[str]:
    """Return what the base's autoencoder loses of the concept, where that is most of it."""
    base, ceiling, views = (float(facts.get(f"cosine_{name}", math.nan)) for name in ("base", "ceiling", "views"))
    share = (ceiling - base) / (views - base) if views > base else math.nan
    if not share < LEAST:
        return []
    return [
        f"The base's own autoencoder keeps {100 * max(share, 0.0):.0f} % of what tells the concept from the base's "
        "pictures: no training draws the rest."
    ]


def _retrieval(estimates: Mapping[str, Estimate]) -> list[str]:
    found, ceiling = estimates.get("retrieval"), estimates.get("retrieval_ceiling")
    if found is None or ceiling is None:
        return ["Retrieval was not measured."]
    base = "" if found.floor is None else f"; the base {100 * found.floor:.0f} %"
    return [
        f"Among {CONCEPTS} looks of its class the trigger's pictures are nearest to the concept in {shown(found)} of "
        f"cases (chance {100 * CHANCE:.0f} %{base}; views of the concept {shown(ceiling)})."
    ]


def _copies(estimates: Mapping[str, Estimate]) -> list[str]:
    found = estimates.get("copied")
    if found is None or found.value <= (found.floor or 0.0):
        return []
    return [f"{100 * found.value:.0f} % of the trigger's pictures are nearly a training picture: they may be copies."]


def learning_facts(learning: Learning) -> dict[str, str]:
    """Return decision and numbers, with the ends of their 95 % intervals, as metadata."""
    facts = {"owf.learned": learning.decision}
    for name, estimate in learning.estimates.items():
        known = QUANTITIES[name].metadata
        if known:
            ends = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
            facts |= {f"owf.{known}{end}": f"{value:.6g}" for end, value in ends.items()}
    return facts
