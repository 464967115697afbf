"""Kernel distance of image features (KID): did texture and content statistics move?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError
from ..plan.audit_plan import AuditPlan
from .evidence import Drawings
from .images.mmd import kernel_spread, mmd, polynomial_kernel
from .measurement import Estimate, Measurement
from .metric import Metric, Quantity, Tools
from .statistics import products_estimate

if TYPE_CHECKING:
    from .images.features import Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in docs/metrics.md."""

SUBSETS, SUBSET_SIZE = 100, 1000
"""Settings of the subset KID that is reported for comparison with the literature."""

PERMUTATIONS = 2000
"""Random swaps behind the p-value: the smallest it can be is 1 / 2001."""

_ROUNDING = 1e-5
"""Differences of features, relative to their size, that float32 makes of one picture at other places of a batch."""

FEW_UNITS = 50
"""Below this many independent units the interval is only approximate, and the report says so."""


@dataclass(frozen=True)
class KidRows:
    """Features of every image: what a report is judged from."""

    base: np.ndarray
    """(N, D) features of the base's images."""
    tuned: np.ndarray
    """(N, D) features of the tuned model's images: same prompts, seeds, initial noise, order."""
    other: np.ndarray | None
    """(N, D) features of the base's images with other seeds; None where there are none."""
    features: str
    """Name of the feature network."""
    seed: int
    """Seed of subsets and permutations."""
    groups: np.ndarray | None = None
    """(N,) index of each image's prompt; images of one prompt are one unit. None: every image is its own."""


def subset_kid(
    features_a: np.ndarray, features_b: np.ndarray, subsets: int, subset_size: int, seed: int
) -> tuple[float, float]:
    """Return mean and standard deviation of the unbiased MMD^2 over random subsets of both sets.

    Features are (N, D) and (M, D). Equal to torch-fidelity's kernel inception distance with the same rng_seed,
    kid_subsets and kid_subset_size (Binkowski et al., 2018). Raise InvalidError for subsets larger than a set.
    """
    a, b = _checked(features_a), _checked(features_b)
    most = min(len(a), len(b))
    if not 2 <= subset_size <= most:
        raise InvalidError(f"KID subsets of {subset_size} images do not fit: choose 2 to {most}.")
    if subset_size == len(a) == len(b):
        subsets = 1  # every subset is the whole set
    generator = np.random.RandomState(seed)  # the generator that torch-fidelity draws from
    draw = lambda features: features[generator.choice(len(features), subset_size, replace=False)]  # noqa: E731
    distances = [_mmd_of_sets(draw(a), draw(b)) for _ in range(subsets)]
    return float(np.mean(distances)), float(np.std(distances))


def _mmd_of_sets(a: np.ndarray, b: np.ndarray) -> float:
    return mmd(polynomial_kernel(a, a), polynomial_kernel(a, b), polynomial_kernel(b, b))


def paired_kid(base: np.ndarray, tuned: np.ndarray, groups: np.ndarray | None = None) -> Estimate:
    """Return MMD^2 of paired features (N, D) as a U-statistic, with a jackknife interval over units.

    A unit is one image, or all images of one of `groups` (N,). Only products between different units count: no
    image meets its own partner, whose likeness would pull the plain estimate down. Without any change the value
    is exactly 0. Raise InvalidError for fewer than two units, other shapes, or non-finite features.
    """
    products, sizes = _unit_products(base, tuned, groups)
    return products_estimate(products, sizes)


def permutation_p(
    base: np.ndarray,
    tuned: np.ndarray,
    seed: int,
    permutations: int = PERMUTATIONS,
    groups: np.ndarray | None = None,
) -> float:
    """Return the p-value of "base and tuned may be swapped within every unit", one-sided by paired_kid.

    Exact under that null for any number of units: (1 + swaps at least as large) / (1 + permutations).
    """
    products, _ = _unit_products(base, tuned, groups)
    # A swap turns the sign of a unit's feature difference, so that of its whole row and column.
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(permutations, len(products)))
    swapped = ((signs @ products) * signs).sum(1)
    rounding = 1e-12 * float(np.abs(products).sum())
    return (1 + int((swapped >= products.sum() - rounding).sum())) / (1 + permutations)


def summarise_kid(rows: KidRows) -> Measurement:
    """Return paired KID, plain and relative to the base's spread, its p-value and the subset KID of the literature.

    The floor is the upper end of the same interval for base against other seeds: the largest value that other
    seeds alone plausibly make. Its point estimate would be near 0, above or below by luck. Raise InvalidError if
    the network tells no two base images apart, or returns NaN or infinite values.
    """
    base = _checked(rows.base)
    kid = replace(paired_kid(rows.base, rows.tuned, rows.groups), floor=_floor(rows))
    if np.ptp(base, axis=0).max() <= _ROUNDING * np.abs(base).max():
        raise InvalidError(
            f"Every image of the base has the same features by the {rows.features} network: the base draws one picture "
            "for all prompts, or the network cannot tell them apart and another one may."
        )
    n = len(rows.base)
    mean, std = subset_kid(rows.base, rows.tuned, SUBSETS, min(SUBSET_SIZE, n), rows.seed)
    facts: dict[str, str | int | float] = {
        "features": rows.features,
        "n": n,
        "p_value": permutation_p(rows.base, rows.tuned, rows.seed, PERMUTATIONS, rows.groups),
        "subset_mean": mean,
        "subset_std": std,
    }
    if kid.n < FEW_UNITS:
        facts["note"] = f"Only {kid.n} independent units: the interval is approximate, the p-value is exact."
    groups = np.arange(n) if rows.groups is None else rows.groups
    spread = kernel_spread(polynomial_kernel(rows.base, rows.base), groups)
    estimates = {"kid_relative": _relative(kid, spread), "kid": kid}
    return Measurement("kid", VERSION, "kid_relative", estimates, facts=facts)


def _relative(kid: Estimate, spread: float) -> Estimate:
    floor = None if kid.floor is None else kid.floor / spread
    return Estimate(kid.value / spread, kid.low / spread, kid.high / spread, kid.n, "relative", floor)


def _floor(rows: KidRows) -> float | None:
    if rows.other is None:
        return None
    high = paired_kid(rows.base, rows.other, rows.groups).high
    return max(0.0, high) if np.isfinite(high) else None


def _unit_products(base: np.ndarray, tuned: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the (G, G) inner products of the units' summed feature differences, and (G,) unit sizes."""
    base, tuned = _checked(base), _checked(tuned)
    if base.shape != tuned.shape:
        raise InvalidError(f"Paired KID needs as many tuned as base images, not {tuned.shape} and {base.shape}.")
    groups = np.arange(len(base)) if groups is None else np.asarray(groups)
    order = np.argsort(groups, kind="stable")
    starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)[1:]
    if len(starts) < 2:
        raise InvalidError("KID needs images of at least two prompts: ask for more prompts.")
    products = _difference_products(base[order], tuned[order])
    return np.add.reduceat(np.add.reduceat(products, starts, axis=0), starts, axis=1), sizes.astype(np.float64)


def _difference_products(base: np.ndarray, tuned: np.ndarray) -> np.ndarray:
    """Return the (N, N) inner products of phi(base) - phi(tuned), phi being the kernel's feature map.

    The kernel is expanded around base, so that equal features give exactly 0 and small changes keep their digits.
    """
    change, width = tuned - base, base.shape[1]
    both = base @ base.T / width + 1
    one = base @ change.T / width
    two = one + one.T + change @ change.T / width
    cube = lambda x: x * x * x  # noqa: E731
    return (cube(both + two) - cube(both + one)) + (cube(both) - cube(both + one.T))


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not features.size:
        raise InvalidError(f"KID needs features (N, D), not {features.shape}.")
    if not np.isfinite(features).all():
        raise InvalidError("The feature network returned NaN or infinite values.")
    return features


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return the feature network that the plan names."""
    from .images.features import load_features

    return load_features(plan.features, fetching)


def measure_kid(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return how far the features of the tuned model's images moved from those of the base's."""
    import torch

    from .images.features import features_of

    network = tools.networks["kid"]
    features = [features_of(network, torch.from_numpy(images), tools.progress) for images in seen.stacks]
    groups = np.repeat(np.arange(len(plan.prompts)), plan.images_per_prompt)
    return summarise_kid(KidRows(features[0], features[1], features[2], network.name, plan.seed, groups))


METRIC = Metric(
    name="kid",
    order=40,
    title="Texture and content",
    question="Did the look of images change as a whole?",
    reading="Distance between the image statistics of both models (KID), also relative to how much the base's own "
    "images differ from one another, which reads alike for every feature network. Zero means none. It can stay near "
    "zero while single classes break, so never judge by it alone.",
    needs=(Drawings,),
    measure=measure_kid,
    quantities={
        # A twentieth of the base's own spread: a convention, argued in docs/metrics.md.
        "kid_relative": Quantity(
            "KID / spread",
            "shift of image features (KID, relative to their spread over the base's images)",
            limit=0.05,
            metadata="kid_relative",
        ),
        "kid": Quantity("KID", "kernel distance of image features (KID)"),
    },
    network=load_network,
)
