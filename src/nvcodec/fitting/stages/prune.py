"""Stage `prune`: set the least important weights to zero once, then fit those that are kept."""

import torch
from torch import Tensor

from nvcodec.fitting.configs.prune import PruneConfig
from nvcodec.fitting.sensitivity import entry_sensitivities
from nvcodec.fitting.stage import Stage
from nvcodec.fitting.state import FitState


class Prune(Stage[PruneConfig]):
    """Global pruning by |w| / P^lambda, P being the weights of the tensor that are not pruned yet.

    Only what the representation calls prunable is taken; the share counts that, or all parameters,
    grids and biases too. Source: HiNeRV, section 3.6; the small constant and the share of all as in
    its repository. With lambda 0 this is plain magnitude, and with the share of what is prunable
    that of NeRV (Eq. 3).

    Differs with the score `sensitivity`: |w| times the root of its squared slopes, as in optimal
    brain damage (LeCun et al. 1989, Eq. 3). Networks that Muon has fitted have weights of like size
    in all layers, so that size alone says little.
    """

    def prepare(self, state: FitState) -> None:
        """Choose one threshold over all prunable weights, and drop what lies below it."""
        parameters = dict(state.representation.named_parameters())
        names = [spec.name for spec in state.representation.specs if spec.is_prunable]
        if self.config.score == "sensitivity":
            values = state.masked()
            slopes = entry_sensitivities(state.representation, values, names)
            scores = [values[name].detach().abs() * slopes[name].sqrt() for name in names]
        else:
            scores = [self._sizes(parameters[name], state.masks.get(name)) for name in names]
        order = torch.cat([s.flatten() for s in scores]).sort(stable=True).indices
        counted = names if self.config.ratio_of == "prunable" else list(parameters)
        wanted = round(self.config.ratio * sum(parameters[name].numel() for name in counted))
        keep = torch.ones(len(order), device=order.device)
        keep[order[:wanted]] = 0
        first = 0
        for name, score in zip(names, scores, strict=True):
            state.masks[name] = keep[first : first + score.numel()].view_as(score)
            first += score.numel()

    def _sizes(self, weights: Tensor, mask: Tensor | None) -> Tensor:
        """|w| / P^lambda of a tensor."""
        kept = weights.numel() if mask is None else float(mask.sum())
        sizes: Tensor = weights.detach().abs() / (kept**self.config.size_exponent + 1e-6)
        return sizes
