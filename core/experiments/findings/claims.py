"""Numbers that are known of the paper (Laria et al., arXiv 2410.14159v1, tables 1 and 2), to stand beside ours.

They belong to Stable Diffusion 1.5 and ten concepts that are not ours. Pure data.
"""

SETS = ("cifar10", "stl10", "flowers102", "pets", "objectnet", "food101", "aircraft")
"""Columns of table 1."""

BASE = "Base"

_ACCURACY = {  # percent, of each of SETS
    BASE: (81.60, 93.00, 50.00, 86.87, 28.50, 71.09, 23.40),
    "DB": (75.92, 91.30, 46.61, 82.61, 25.26, 65.48, 19.36),
    "DB-DC": (80.98, 93.36, 49.29, 86.64, 27.72, 69.07, 21.42),
    "DB-DC\\pr": (80.60, 92.94, 49.06, 86.37, 27.45, 68.79, 21.54),
    "CD": (79.98, 91.40, 47.65, 83.46, 25.75, 65.25, 19.44),
    "CD-DC": (82.36, 93.02, 49.33, 86.37, 27.91, 69.19, 21.94),
    "CD-DC\\pr": (82.04, 92.76, 49.16, 86.70, 27.77, 68.99, 21.56),
}
_WORST = {  # mean drop of the worst class in points, of each of SETS
    "DB": (32.40, 18.60, 64.00, 36.43, 56.00, 56.00, 58.00),
    "DB-DC": (14.00, 4.40, 42.00, 17.14, 42.00, 44.00, 48.00),
    "DB-DC\\pr": (14.00, 5.20, 40.00, 16.43, 46.00, 44.00, 44.00),
    "CD": (17.00, 12.20, 66.00, 33.57, 58.00, 56.00, 58.00),
    "CD-DC": (9.00, 5.00, 42.00, 16.43, 42.00, 44.00, 46.00),
    "CD-DC\\pr": (10.80, 6.00, 44.00, 20.00, 42.00, 44.00, 48.00),
}


def published_accuracy(row: str, dataset: str) -> str:
    """Return the paper's accuracy in % with the mean worst class drop in brackets; empty where it has none."""
    if dataset not in SETS or row not in _ACCURACY:
        return ""
    column = SETS.index(dataset)
    worst = f" ({_WORST[row][column]:.2f})" if row in _WORST else ""
    return f"{_ACCURACY[row][column]:.2f}{worst}"


_LIKENESS = {  # DINO, CLIP-I, CLIP-T
    "DB": (0.42, 0.68, 0.79),
    "DB-DC": (0.43, 0.68, 0.78),
    "DB-DC\\pr": (0.43, 0.68, 0.78),
    "CD": (0.44, 0.69, 0.79),
    "CD-DC": (0.44, 0.69, 0.79),
    "CD-DC\\pr": (0.44, 0.69, 0.79),
}


def published_likeness(row: str) -> str:
    """Return the paper's DINO, CLIP-I and CLIP-T; empty for a row that it has not."""
    return " / ".join(f"{value:.2f}" for value in _LIKENESS.get(row, ()))
