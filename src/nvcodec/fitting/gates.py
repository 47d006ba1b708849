"""Hard-concrete gates: random variables that are exactly 0 or 1 often, and have gradients.

Source: Louizos et al. 2018, Learning sparse neural networks through L0 regularization, section 2.2:
a concrete variable of temperature beta, stretched to (gamma, zeta) and clamped to [0, 1].
"""

import math

import torch
from torch import Tensor

from nvcodec.fitting.relaxations import bounded

BETA = 2 / 3
GAMMA = -0.1
ZETA = 1.1
EPSILON = 1e-6
MIN_LOG_ALPHA, MAX_LOG_ALPHA = math.log(0.01), math.log(100)
START_SPREAD = 0.01


def start_log_alpha(like: Tensor, drop_rate: float, generator: torch.Generator) -> Tensor:
    """Initial values, of the shape of `like`: N(log((1 - p) / p), 0.01^2)."""
    mean = math.log((1 - drop_rate) / drop_rate)
    noise = torch.randn(like.shape, generator=generator, device=like.device)
    return mean + START_SPREAD * noise


def sampled_gates(log_alpha: Tensor, generator: torch.Generator) -> Tensor:
    """Gates z of one forward pass, in [0, 1]; Eq. 10 and 11."""
    u = torch.rand(log_alpha.shape, generator=generator, device=log_alpha.device)
    return gates_at(u.clamp(EPSILON, 1 - EPSILON), log_alpha)


def gates_at(u: Tensor, log_alpha: Tensor) -> Tensor:
    """Gates for uniform numbers `u` in (0, 1)."""
    log_alpha = bounded(log_alpha, MIN_LOG_ALPHA, MAX_LOG_ALPHA)
    s = torch.sigmoid((u.log() - (1 - u).log() + log_alpha) / BETA)
    return (s * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def settled_gates(log_alpha: Tensor) -> Tensor:
    """Gates without noise, for use after fitting; Eq. 13. Zero for log alpha <= -2.398."""
    return (torch.sigmoid(log_alpha) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)


def open_probability(log_alpha: Tensor) -> Tensor:
    """Probability that a gate is not zero: the L0 penalty of each entry; Eq. 12."""
    return torch.sigmoid(log_alpha - BETA * math.log(-GAMMA / ZETA))
