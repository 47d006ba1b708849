"""Hard-concrete gates against values computed by hand (Louizos et al. 2018, Eq. 10 to 13)."""

import math

import pytest
import torch

from nvcodec.fitting.gates import gates_at, open_probability, sampled_gates, settled_gates
from nvcodec.fitting.gates import start_log_alpha as start


def at(u, log_alpha):
    return float(gates_at(torch.tensor(u), torch.tensor(log_alpha)))


def test_gate_values_by_hand():
    """u = 1/2: s = sigmoid(1.5 log alpha); z = 1.2 s - 0.1, clamped."""
    assert at(0.5, 0.0) == pytest.approx(0.5)
    assert at(0.5, 1.0) == pytest.approx(1.2 / (1 + math.exp(-1.5)) - 0.1)
    # u = 0.8: s = sigmoid(1.5 log 4) = 8/9
    assert at(0.8, 0.0) == pytest.approx(1.2 * 8 / 9 - 0.1)
    assert at(0.99, 0.0) == 1
    assert at(0.01, 0.0) == 0


def test_settled_gates_are_exact_at_the_ends():
    log_alpha = torch.tensor([-2.399, -2.397, 0.0, 2.397, 2.399])
    gates = settled_gates(log_alpha)
    assert gates[0] == 0 < gates[1] < 0.001
    assert gates[2] == pytest.approx(0.5)
    assert 0.999 < gates[3] < 1 == gates[4]


def test_penalty_is_the_share_of_open_gates():
    """sigmoid(log alpha + 1.599), as often as samples are not zero."""
    assert float(open_probability(torch.tensor(0.0))) == pytest.approx(0.8318, abs=1e-4)
    assert math.log(1.1 / 0.1) * 2 / 3 == pytest.approx(1.599, abs=1e-3)
    generator = torch.Generator().manual_seed(0)
    for value in (-2.0, 0.0, 1.0):
        log_alpha = torch.full((50_000,), value)
        share = float((sampled_gates(log_alpha, generator) > 0).float().mean())
        assert share == pytest.approx(float(open_probability(log_alpha[0])), abs=0.01)


def test_gates_begin_at_the_drop_rate():
    log_alpha = start(torch.zeros(10_000), 0.2, torch.Generator().manual_seed(0))
    assert float(log_alpha.mean()) == pytest.approx(math.log(4), abs=1e-3)
    assert float(log_alpha.std()) == pytest.approx(0.01, rel=0.05)


def test_gradients_reach_gates_that_are_neither_open_nor_closed():
    log_alpha = torch.zeros(1000, requires_grad=True)
    sampled_gates(log_alpha, torch.Generator().manual_seed(0)).sum().backward()
    assert log_alpha.grad is not None
    assert 0.3 < float((log_alpha.grad > 0).float().mean()) < 0.8
