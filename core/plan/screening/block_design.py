"""Which concept is asked at which timestep of which picture: few rows each, all balanced. Pure numpy."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Cells:
    """Rows of an incomplete block design, concept by concept, as positions."""

    timestep: "np.ndarray"
    """(V, R) which timestep each of the R rows of each of V concepts is at."""
    picture: "np.ndarray"
    """(V, R) which picture is noised for it."""


def block_design(concepts: int, rows: int, timesteps: int, pictures: int, seed: int) -> Cells:
    """Return `rows` cells of each concept, such that timesteps and pictures are balanced over concepts.

    The process is cut into as many bands as a concept has rows, and each of its rows lies in a band of its own, of a
    picture of its own as long as there are any. Each timestep comes equally often, give or take one, and in the end
    with each picture. Which timesteps meet within a concept changes, so that all can be compared within concepts. More
    rows than timesteps are several laps, each of other pictures. The seed decides which concept gets which, so that
    attributes do not go with timesteps.

    Raises ValueError unless rows divide the timesteps or the other way round.
    """
    import numpy as np

    lap = min(rows, timesteps)
    if rows < 1 or timesteps % lap or rows % lap or pictures < 1:
        raise ValueError(f"{rows} rows of {timesteps} timesteps and {pictures} pictures are not balanced")
    place = np.random.default_rng([seed, concepts]).permutation(concepts)[:, None]
    row, width = np.arange(rows)[None, :], timesteps // lap
    band = row % lap
    # From turn to turn the rows move on in their bands by different steps: otherwise the same timesteps always met.
    timestep = band * width + (place + band * (place // width)) % width
    # Steps repeat after width turns. Where the pictures do as well, they move on by one.
    around = math.lcm(width * width, pictures)
    picture = (place + place // around + row + row // lap) % pictures
    return Cells(timestep, picture)
