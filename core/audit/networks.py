"""The networks that an audit looks at pictures with, each loaded once for all that is audited."""

from collections.abc import Callable, Sequence

from ..metrics.images.features import FeatureNetwork, Fetching, ImageFeatures
from ..metrics.metric import chosen
from ..plan.audit_plan import AuditPlan
from ..progress import Progress
from .learned.networks import load_networks

Hosted = Callable[[ImageFeatures], FeatureNetwork]
"""How a host puts a network under its own memory management."""


class Networks:
    """Loads networks, with what to do in the error where one cannot be had."""

    def __init__(self, fetching: Fetching, hosted: Hosted) -> None:
        self._fetching, self._hosted = fetching, hosted
        self._of_metrics: dict[tuple[object, ...], FeatureNetwork] = {}
        self._of_concepts: dict[str, Sequence[FeatureNetwork]] = {}

    def of_metrics(self, plan: AuditPlan, progress: Progress) -> dict[str, FeatureNetwork]:
        """Return the networks of the plan's metrics, by metric."""
        wanted = {metric.name: metric.network for metric in chosen(plan.metrics) if metric.network is not None}
        asked = plan.features, plan.open_clip, plan.prompts  # some have read the prompts
        for name, load in wanted.items():
            if (name, asked) not in self._of_metrics:
                progress.stage("Loading the feature network")
                self._of_metrics[name, asked] = self._hosted(load(plan, self._fetching))
        return {name: self._of_metrics[name, asked] for name in wanted}

    def of_concept(self, family: str, progress: Progress) -> Sequence[FeatureNetwork]:
        """Return the networks by which pictures of a concept are compared, for bases of a family."""
        if family not in self._of_concepts:
            progress.stage("Loading the feature networks")
            self._of_concepts[family] = load_networks(family, self._fetching, self._hosted)
        return self._of_concepts[family]
