"""What it means: PASS, DRIFT, INCONCLUSIVE or INVALID, and what every limit says. No torch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..errors import Setting, with_words

PASS, DRIFT, INCONCLUSIVE, INVALID = "PASS", "DRIFT", "INCONCLUSIVE", "INVALID"
NO_ALARM = "NO ALARM"
"""What an alarm says that did not fire: neither harm nor harmlessness is shown, so it is no decision of a verdict."""
JUDGED = (PASS, DRIFT, INCONCLUSIVE, NO_ALARM)
"""What one limit may say."""
EXIT_CODES = {PASS: 0, DRIFT: 1, INCONCLUSIVE: 3, INVALID: 4}
"""Decision -> exit code; 2 is what argparse and errors of usage end with."""
WORST_FIRST = (DRIFT, INVALID, INCONCLUSIVE, PASS)
"""Decisions in the order in which they matter where several LoRAs are audited at once."""


@dataclass(frozen=True)
class Judgement:
    """What one limit says."""

    metric: str
    """Metric judged."""
    estimate: str
    """Estimate judged."""
    limit: float
    """Its limit."""
    test: str
    """Test that was applied."""
    decision: str
    """PASS, DRIFT, INCONCLUSIVE or, for an alarm that did not fire, NO ALARM."""
    reason: str
    """One sentence in plain words."""
    samples_to_decide: int | None = None
    """For INCONCLUSIVE: about how many samples in all would decide it."""


@dataclass(frozen=True)
class Verdict:
    """The answer, and why."""

    decision: str
    """PASS, DRIFT, INCONCLUSIVE or INVALID."""
    reasons: tuple[str, ...]
    """Plain sentences, the decisive ones first."""
    judgements: tuple[Judgement, ...] = ()
    """One per limit."""
    policy: str = "default"
    """Name of the policy."""
    settings: tuple[Setting, ...] = field(default=(), compare=False)
    """What may be changed where nothing is judged; for the host of the run alone, so no report on disk has it."""

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 DRIFT, 3 INCONCLUSIVE, 4 INVALID."""
        return EXIT_CODES[self.decision]

    def worded(self, word: Callable[[Setting], str]) -> tuple[str, ...]:
        """Return the reasons, the first with a host's words for the settings; see `with_words`."""
        return tuple(with_words(reason, self.settings, word) for reason in self.reasons[:1]) + self.reasons[1:]


def worst(decisions: Iterable[str]) -> str:
    """Return the decision that several LoRAs have together."""
    seen = set(decisions)
    return next((decision for decision in WORST_FIRST if decision in seen), INVALID)


def invalid(reason: str, *settings: Setting) -> Verdict:
    """Return the verdict for a run whose numbers would mean nothing, and what may be changed."""
    return Verdict(INVALID, (reason,), settings=settings)
