"""Counter-based Gaussian noise: a pure function of (seed, item, timestep, trial), drawn on the CPU.

Base and tuned, any batch size, order and device therefore see the same numbers.
"""

import hashlib

import numpy as np
import torch


def gaussian(shape: tuple[int, ...], seed: int, item: str, timestep: int = 0, trial: int = 0) -> torch.Tensor:
    """Return standard normal noise of `shape` as float32 on the CPU.

    The four counters are hashed to the key of a Philox generator (Salmon et al., SC 2011), so neighbouring
    counters are independent. `item` names what the noise is for, such as an image's digest.
    """
    words = f"{seed}|{item}|{timestep}|{trial}".encode()
    key = np.frombuffer(hashlib.blake2b(words, digest_size=16).digest(), np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key))
    return torch.from_numpy(generator.standard_normal(shape, np.float32))


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in float32 or better: latents and noise are mixed before they are rounded to half precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
