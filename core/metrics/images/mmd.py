"""Maximum mean discrepancy (MMD) of two sets of image features under KID's kernel, from sums of kernel matrices.

Two sets have three matrices: within the first (N, N), across (N, M), within the second (M, M). Everything here is
quadratic in the number of images. No torch.
"""

import numpy as np


def polynomial_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the (N, M) kernel (a b / D + 1)^3 of features (N, D) and (M, D), in float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    base = a @ b.T / a.shape[1] + 1
    return base * base * base  # numpy's power is ten times slower


def kernel_spread(kernel: np.ndarray, groups: np.ndarray) -> float:
    """Return mean k(x, x) - mean k(x, x') over images x' of other `groups` (N,): the variance of the feature map.

    It is the MMD^2 between two single images, so MMD^2 divided by it says the same for every feature network.
    """
    return float(kernel.diagonal().mean() - kernel[groups[:, None] != groups].mean())


def mmd(first: np.ndarray, across: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased MMD^2 of two sets of at least two images each; all cross terms count."""
    within = [_mean_off_diagonal(kernel) for kernel in (first, second)]
    return float(sum(within) - 2 * across.mean())


def mmd_without_each(first: np.ndarray, across: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `mmd` without each image of the first set (N,), then of the second (M,); at least three images each."""
    return _without_each(first, across, second), _without_each(second, across.T, first)


def _without_each(own: np.ndarray, across: np.ndarray, other: np.ndarray) -> np.ndarray:
    n, m = across.shape
    rows, crossed = own.sum(1) - own.diagonal(), across.sum(1)
    within = (rows.sum() - 2 * rows) / ((n - 1) * (n - 2))  # an image takes its row and its column away
    return within + _mean_off_diagonal(other) - 2 * (crossed.sum() - crossed) / ((n - 1) * m)


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    n = len(kernel)
    return (kernel.sum() - kernel.trace()) / (n * (n - 1))
