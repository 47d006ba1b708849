"""How rates change over the progress of a stage."""

import math


def cosine(
    progress: float,
    warmup: float,
    warmup_ratio: float,
    final_ratio: float,
    warmup_prefix: bool = False,
) -> float:
    """Factor on the learning rate at `progress` 0 to 1: linear warm-up, then cosine.

    The warm-up covers the first `warmup` of the cosine and does not shift it, as in HiNeRV's
    repository (timm's scheduler without a warm-up prefix): at its end the factor jumps onto the
    curve. With `warmup_prefix` the cosine begins at its top after the warm-up, as in NeRV's
    repository.
    """
    if progress < warmup:
        return warmup_ratio + (1 - warmup_ratio) * progress / warmup
    if warmup_prefix and warmup < 1:
        progress = (progress - warmup) / (1 - warmup)
    return final_ratio + (1 - final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
