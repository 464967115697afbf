"""Whether what jobs train can be kept as a base is where memory is short."""

from collections.abc import Sequence

from ...errors import Setting, UsageError
from ...model.memory import Keeping
from ...train.train import require_kept
from ..jobs.job import INVERSION, REFERENCE, Job, distinct


def require_all_kept(jobs: Sequence[Job], keeping: Keeping) -> None:
    """Raise UsageError where one of the lessons is none that can be taught on a base that is kept in a way."""
    for lesson in distinct(jobs):
        if lesson.how == INVERSION and keeping.takes_turns:
            said = "Textual inversion asks the text encoder in each step, which then cannot wait in main memory."
            raise UsageError(said, Setting("offload", "none"), Setting("only"))
        if lesson.how != REFERENCE:
            require_kept(lesson.plan, keeping)
