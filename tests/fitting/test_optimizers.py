"""Optimizers: the directions of Muon, and those that come from outside."""

import torch
from fitting_helpers import STAGES, make_fitting

from nvcodec.fitting.optimizers import orthogonalize


def test_orthogonalised_matrices_keep_their_directions():
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (2, 40, 16)):
        matrices = torch.randn(shape)
        u, _, v = torch.linalg.svd(matrices, full_matrices=False)
        result = orthogonalize(matrices)
        values = torch.linalg.svdvals(result)
        assert 0.6 < values.min() <= values.max() < 1.3
        assert (
            torch.nn.functional.cosine_similarity(result.flatten(1), (u @ v).flatten(1)).min()
            > 0.97
        )


def test_optimizers_may_come_from_outside():
    given = []

    def plain_descent(parameters, roles, learned, config):
        assert parameters.keys() == roles.keys()
        given.append((len(parameters), config.kind))
        groups = [{"params": [*parameters.values(), *learned], "lr": 1e-3, "initial_lr": 1e-3}]
        return [torch.optim.SGD(groups)]

    fitting = make_fitting(options={"make_optimizers": plain_descent})
    list(fitting.run())
    assert given == [(len(fitting.state.representation.specs), "muon")] * len(STAGES)
