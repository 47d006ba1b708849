"""Optimizers: Adam for everything, or Muon for weight matrices with Adam for the rest.

Muon replaces the update of a matrix by its nearest orthogonal one, so that all directions move
equally fast (Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks). Matrices
of one shape are updated together.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nvcodec.coding.parameters import Role
from nvcodec.fitting.config import OptimizerConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration; Jordan et al. 2024."""
MIN_MATRIX_SIDE = 8
"""Narrower matrices, such as heads, have no directions worth equalising; Adam takes them."""


def make_optimizers(
    parameters: Mapping[str, Tensor],
    roles: Mapping[str, Role],
    side: Sequence[Tensor],
    config: OptimizerConfig,
) -> list[torch.optim.Optimizer]:
    """Optimizers whose groups carry `initial_lr`, the rate at the top of the schedule.

    `side` is learned side information of the scheme.
    """
    grids = [p for n, p in parameters.items() if roles[n] is Role.GRID]
    weights = [p for n, p in parameters.items() if roles[n] is Role.WEIGHT]
    others = [p for n, p in parameters.items() if roles[n] not in (Role.GRID, Role.WEIGHT)]
    matrices: list[Tensor] = []
    if config.kind == "muon":
        matrices = [
            p for p in weights if p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= MIN_MATRIX_SIDE
        ]
        chosen = {id(p) for p in matrices}
        weights = [p for p in weights if id(p) not in chosen]
    groups = [
        {"params": params, "lr": rate, "initial_lr": rate, "initial_weight_decay": decay}
        for params, rate, decay in (
            (grids, config.grid_learning_rate or config.learning_rate, 0.0),
            (weights, config.learning_rate, config.weight_decay),
            (others, config.learning_rate, 0.0),
            (list(side), config.side_learning_rate or config.learning_rate, 0.0),
        )
        if params
    ]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, betas=config.betas)]
    if matrices:
        optimizers.append(Muon(matrices, config.matrix_learning_rate, config.momentum))
    return optimizers


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalisation by Newton-Schulz, of tensors seen as (out, the rest)."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "initial_lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update; Nesterov momentum, scaled by sqrt(max(1, rows / columns))."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[tuple(sorted(p.flatten(1).shape))].append(p)
            for params in by_shape.values():
                for p in params:
                    if "momentum" not in self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                buffers = [self.state[p]["momentum"] for p in params]
                gradients = [p.grad for p in params if p.grad is not None]
                torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
                updates = torch._foreach_lerp(gradients, buffers, group["momentum"])
                stacked = torch.stack([_wide(update.flatten(1)) for update in updates])
                for p, wide in zip(params, orthogonalize(stacked), strict=True):
                    rows, columns = p.flatten(1).shape
                    update = wide if rows <= columns else wide.mT
                    scale = max(1.0, rows / columns) ** 0.5
                    p.add_(update.reshape_as(p), alpha=-group["lr"] * scale)


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


def orthogonalize(matrices: Tensor, num_steps: int = 5) -> Tensor:
    """Matrices of singular values near one with the same singular vectors, (N, rows, columns).

    Fewer rows than columns take less time.
    """
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(num_steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
