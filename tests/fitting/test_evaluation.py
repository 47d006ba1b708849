"""Evaluations: how often, on which frames, and of which values."""

import math

import pytest
import torch
from fitting_helpers import STAGES, make_fitting

from nvcodec.fitting import loop
from nvcodec.fitting.evaluation import EvaluationPolicy, psnr_db
from nvcodec.samples import Samples


def test_a_policy_says_how_often_a_fitting_is_measured(monkeypatch):
    counts, original = [], loop.evaluate

    def counted(*args):
        counts.append(args[-1].num_frames)
        return original(*args)

    monkeypatch.setattr(loop, "evaluate", counted)
    for policy in (EvaluationPolicy(math.inf), EvaluationPolicy(0.0, math.inf, num_frames=2)):
        list(make_fitting(options={"evaluation": policy}).run())
    assert counts == [8] * len(STAGES) + [2] * 28  # at the end of every stage; after every step
    assert EvaluationPolicy(10, share=0.05).next_interval_s(took_s=2) == 40


def test_psnr_is_of_rounded_samples_and_of_the_values_given():
    fitting = make_fitting()
    network, frames = fitting.state.representation, fitting.state.frames
    shown = (network.render(torch.arange(4)).detach() * 255).round()
    of_frames = 10 * torch.log10(255**2 / (shown - frames).square().mean(dim=(1, 2, 3)))
    whole, ends = (float(of_frames[chosen].mean()) for chosen in (slice(None), [0, 3]))
    assert psnr_db(network, frames, Samples.RGB) == pytest.approx(whole, abs=0.01)
    assert psnr_db(network, frames, Samples.RGB, num_frames=2) == pytest.approx(ends, abs=0.01)
    zeros = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    grey = 10 * torch.log10(255**2 / (frames - 128.0).square().mean(dim=(1, 2, 3)))
    seen = psnr_db(network, frames, Samples.RGB, values=zeros)
    assert seen == pytest.approx(float(grey.mean()), abs=0.01)
