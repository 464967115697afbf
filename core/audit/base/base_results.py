"""Base results in a cache: one store for a base, what it is asked and a way of computing, named by their digest."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...disk.store import SampleStore
from ...disk.stores import open_cached
from ...verdict.typed import require_types

STAGES = (
    "draw", "draw-other", "color", "color-other", "steps", "steps-other", "probe", "predict", "predict-again",
    "screen", "screen-instead", "pilot", "pilot-instead", "texts", "confirm-base", "confirm-tuned", "look-base",
    "look-tuned", "reading", "classify", "classify-other",
)  # fmt: skip
"""Kinds of samples, as `gather` calls them."""
_MOST = 2**16
"""Characters of what is said about a store."""


@dataclass(frozen=True)
class About:
    """What the samples of a store depend on: everything that may change one in its last digit."""

    base: str
    """Name of the base, for people: its digest counts."""
    family: str
    preset: str
    """Name of the plan that asked last, for people: the questions count."""
    digest: str
    """Digest of the base."""
    questions: str
    """Digest of what the base is asked; see `audit_plan.questions`."""
    environment: dict[str, str]
    """Versions, device and type, see `adapter_record.environment`; their order counts."""
    batch: int
    latent_shape: str

    @property
    def key(self) -> str:
        """Return the digest that names the store."""
        run = (self.questions, *self.environment.values(), str(self.batch), self.latent_shape)
        return joined_digest(self.digest, *run)

    def path(self, cache: Path) -> Path:
        """Return where the store lies in a cache."""
        return cache / f"base-{self.key}.sqlite"

    def text(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self))


def joined_digest(*parts: str) -> str:
    """Return one digest of several texts, short enough for a file's name."""
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def read_about(text: str) -> About | None:
    """Return what a text of `About.text` says; None where it is none, as in a store of an earlier release."""
    try:
        if len(text) > _MOST:
            return None
        about = About(**json.loads(text))
        require_types(about, About, "about")
        about.text().encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return about


def open_results(about: About, cache: Path) -> SampleStore:
    """Return the store of base results, which says what they are about; what is damaged in it is dropped."""
    store = open_cached(about.path(cache))
    store.describe(about.text())
    return store
