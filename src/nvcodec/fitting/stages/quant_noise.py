"""Stage `quant_noise`: fit while a random share of the weights is seen quantized."""

import torch

from nvcodec.coding.parameters import Role
from nvcodec.fitting.configs.quant_noise import QuantNoiseConfig
from nvcodec.fitting.relaxations import symmetric_dequantized
from nvcodec.fitting.stage import Stage, View
from nvcodec.fitting.state import FitState


class QuantNoise(Stage[QuantNoiseConfig]):
    """Each weight, independently and anew at every step, is replaced by its dequantised value.

    No straight-through estimator: gradients reach only the weights that were left alone, and
    through the largest weight the bin widths. Source: HiNeRV, section 3.6 (Quant-Noise of Stock et
    al. 2021).
    """

    def view(self, state: FitState, progress: float, generator: torch.Generator) -> View:
        """Parameters with noise on every tensor of two or more axes; weight steps come later."""
        values, masked, scheme = {}, state.masked(), state.scheme.config
        for spec in state.representation.specs:
            name, p = spec.name, masked[spec.name]
            if p.ndim < 2 or not p.numel() or spec.role is Role.DELTA:
                values[name] = p
                continue
            noisy = (
                torch.rand(p.shape, generator=generator, device=p.device) < self.config.noise_ratio
            )
            coded = symmetric_dequantized(p, scheme.bits, scheme.quant_scale_mantissa_bits)
            values[name] = torch.where(noisy, coded, p)
        return View(values)
