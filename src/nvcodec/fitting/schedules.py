"""How rates change over the steps of a stage."""

import math


def cosine(
    step: int,
    num_steps: int,
    warmup_steps: int,
    warmup_ratio: float,
    final_ratio: float,
    warmup_prefix: bool = False,
) -> float:
    """Factor on the learning rate: linear warm-up, then cosine, per step.

    The warm-up covers the start of the cosine and does not shift it, as in HiNeRV's repository
    (timm's scheduler without a warm-up prefix): at its end the factor jumps onto the curve. With
    `warmup_prefix` the cosine begins at its top after the warm-up, as in NeRV's repository.
    """
    if step < warmup_steps:
        return warmup_ratio + (1 - warmup_ratio) * step / warmup_steps
    if warmup_prefix:
        step, num_steps = step - warmup_steps, num_steps - warmup_steps
    return final_ratio + (1 - final_ratio) * 0.5 * (
        1 + math.cos(math.pi * step / max(num_steps, 1))
    )
