"""Which networks see whether a concept was learned."""

from collections.abc import Callable

from ...families import shipped
from ...metrics.images.features import FeatureNetwork, Fetching, ImageFeatures, load_features

SEEN_BY = ("clip", "dino")
"""CLIP-I and DINO, as DreamBooth is evaluated (Ruiz et al., 2023)."""


def load_networks(
    family: str, fetching: Fetching, hosted: Callable[[ImageFeatures], FeatureNetwork] = lambda network: network
) -> tuple[FeatureNetwork, ...]:
    """Return the networks for a family of bases; raise UsageError where one cannot be loaded.

    The world of a base that ships is seen by the network that comes with it. `hosted` puts one under a host's memory
    management.
    """
    names = (family,) if family in shipped() else SEEN_BY
    return tuple(hosted(load_features(name, fetching)) for name in names)
