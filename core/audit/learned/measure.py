"""Was the concept learned? Fidelity, retrieval and copies of its pictures, and what they mean together."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ...errors import OwfError
from ...metrics.images.features import FeatureNetwork
from ...metrics.images.preparation import resize_crop
from ...metrics.measurement import Estimate
from ...metrics.statistics import accuracy_estimate
from ...verdict.learning import Learning, judge_learning, not_measured
from .copying import near
from .evidence import ConceptAsked, ConceptEvidence, Drawing, Images, gather
from .fidelity import fidelity, likeness
from .retrieval import retrieved, retrieved_views
from .space import joined

_SMALL = 32
"""Side at which pixels are compared: a shift by a pixel or two is no other picture."""


def measure_learning(asked: ConceptAsked, drawing: Drawing, load: Callable[[], Sequence[FeatureNetwork]]) -> Learning:
    """Return what the tuned model has learned, as the networks see it that `load` returns.

    What keeps it from being measured is a reason why nothing is shown: all else stands.
    """
    try:
        drawing.progress.stage("Loading the feature networks")
        networks = load()
        evidence = gather(asked, drawing)
        drawing.progress.stage("Comparing with the concept")
        return learning(evidence, networks)
    except OwfError as error:
        return not_measured(f"What was learned was not measured: {error}", *error.settings)


def learning(evidence: ConceptEvidence, networks: Sequence[FeatureNetwork]) -> Learning:
    """Return what the pictures say; raise InvalidError for features that are no numbers."""
    tuned, base, views, trips, training = (
        _features(images, networks)
        for images in (evidence.tuned, evidence.base, evidence.views, evidence.trips, evidence.training)
    )
    found: dict[str, Estimate | None] = {"fidelity": fidelity(tuned, base, views, trips)}
    if evidence.looks and len(views) > 1:
        others = [_features(images, networks) for images in evidence.looks]
        # Round trips stand for the concept here, since whatever else is drawn came through the same decoder.
        found["retrieval"] = _share(retrieved(tuned, trips, others), retrieved(base, trips, others))
        found["retrieval_ceiling"] = _share(retrieved_views(trips, others))
    if len(training) > 1:
        of_training, of_tuned, of_base = map(_pixels, (evidence.training, evidence.tuned, evidence.base))
        copied = near(tuned, training) & near(of_tuned, of_training)
        found["copied"] = _share(copied, near(base, training) & near(of_base, of_training))
    cosines = likeness(tuned, base, views, trips)
    facts: dict[str, str | int | float] = {
        "prompt": evidence.prompt,
        "networks": ", ".join(network.name for network in networks),
        "views": len(views),
        "views_are": evidence.source,
        "cosine_base": cosines.base,
        "cosine_tuned": cosines.tuned,
        "cosine_ceiling": cosines.ceiling,
        "cosine_views": cosines.views,
    }
    return judge_learning({name: e for name, e in found.items() if e is not None}, facts)


def _share(right: np.ndarray, floor: np.ndarray | None = None) -> Estimate:
    return replace(accuracy_estimate(right), floor=None if floor is None else float(floor.mean()))


def _features(images: Images, networks: Sequence[FeatureNetwork]) -> np.ndarray:
    """Return unit vectors (N, D); images of one shape go through a network together."""
    shapes: dict[torch.Size, list[int]] = {}
    for place, image in enumerate(images):
        shapes.setdefault(image.shape, []).append(place)
    order = [place for places in shapes.values() for place in places]
    stacks = [torch.stack([images[place] for place in places]) for places in shapes.values()]
    found = [np.concatenate([network(stack) for stack in stacks])[np.argsort(order)] for network in networks]
    return joined(found)


def _pixels(images: Images) -> np.ndarray:
    """Return the squares in the middle of images, shrunk, as vectors (N, D)."""
    return np.stack([resize_crop(image[None], _SMALL, _SMALL).numpy().ravel() for image in images]).astype(np.float64)
