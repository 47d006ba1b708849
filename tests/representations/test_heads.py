"""No pixel is stuck at white or black: a gradient that leads inside is never nothing."""

import pytest
import torch

from nvcodec.representations.heads import LEAST_SLOPE, half_tanh, sigmoid

PLAIN = {sigmoid: torch.sigmoid, half_tanh: lambda x: (torch.tanh(x) + 1) / 2}


@pytest.mark.parametrize("head", list(PLAIN))
def test_inside_it_is_the_plain_function(head):
    x = torch.linspace(-1.5, 1.5, 101).requires_grad_()
    gradient = torch.linspace(-2, 2, 101)
    found, expected = head(x), PLAIN[head](x)
    assert torch.equal(found, expected)
    (ours,) = torch.autograd.grad(found, x, gradient)
    (plain,) = torch.autograd.grad(expected, x, gradient)
    assert torch.equal(ours, plain)


@pytest.mark.parametrize("head", list(PLAIN))
def test_at_the_ends_a_way_leads_back(head):
    x = torch.tensor([-50.0, -6.0, 6.0, 50.0], requires_grad=True)
    inside = torch.tensor([-1.0, -1.0, 1.0, 1.0])  # descending moves x inside
    (back,) = torch.autograd.grad(head(x), x, inside, retain_graph=True)
    assert torch.allclose(back, inside * LEAST_SLOPE)
    (out,) = torch.autograd.grad(head(x), x, -inside)
    assert (out.abs() < 0.01).all()
