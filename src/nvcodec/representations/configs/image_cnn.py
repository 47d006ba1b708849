"""Settings of the convolutional network on noise, and what follows from them."""

from typing import Literal, NamedTuple

from pydantic import Field

from nvcodec.coding.parameters import ParameterSpec
from nvcodec.representations.config import RepresentationConfig, layer
from nvcodec.samples import VideoShape


class ScalePlan(NamedTuple):
    """One halving and the doubling across from it."""

    encoder_in: int
    decoder_in: int
    """Channels after upsampling, those of the skip connection included."""


class ImageCnnConfig(RepresentationConfig):
    """Settings of the convolutional network on noise."""

    kind: Literal["image_cnn"] = "image_cnn"
    channels: int = Field(ge=1, le=4096, description="of every layer")
    scales: int = Field(4, ge=1, le=8, description="times that the resolution is halved")
    noise_channels: int = Field(8, ge=1, le=256, description="of the fixed input")
    skip_channels: int = Field(
        4, ge=0, le=4096, description="of each long skip connection; 0: there are none"
    )
    kernel_size: Literal[1, 3, 5, 7] = Field(
        3, description="of all convolutions but skips and head"
    )
    seed: int = Field(0, ge=0, lt=1 << 31, description="of the first frame's noise")

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """The picture's size, rounded up to what can be halved `scales` times."""
        unit = 1 << self.scales
        return -(-height // unit) * unit, -(-width // unit) * unit

    def plan_scales(self) -> list[ScalePlan]:
        """Sizes of every scale, finest first."""
        inputs = [self.noise_channels] + [self.channels] * (self.scales - 1)
        return [ScalePlan(n, self.channels + self.skip_channels) for n in inputs]

    @property
    def widest_layer(self) -> int:
        """Most inputs or outputs of a layer."""
        return max(self.noise_channels, self.channels + self.skip_channels)

    def tensors(self, shape: VideoShape) -> list[ParameterSpec]:
        """Encoder, skip connection and decoder of every scale, finest first, then the head."""
        kernel, specs = self.kernel_size, []
        for i, plan in enumerate(self.plan_scales()):
            specs += layer(f"scale.{i}.encoder", self.channels, plan.encoder_in, kernel, kernel)
            if self.skip_channels:
                specs += layer(f"scale.{i}.skip", self.skip_channels, plan.encoder_in, 1, 1)
            specs += layer(f"scale.{i}.decoder", self.channels, plan.decoder_in, kernel, kernel)
        return specs + layer("head", shape.channels, self.channels, 1, 1)

    def macs_per_frame(self, shape: VideoShape) -> int:
        """Multiply-adds of all convolutions."""
        height, width = self.canvas(shape.height, shape.width)
        total = height * width * self.channels * shape.channels
        for scale, (encoder, decoder, skip) in enumerate(self._scale_weights()):
            pixels = (height >> scale) * (width >> scale)
            total += pixels // 4 * encoder + pixels * (decoder + skip)
        return total

    def activations_per_frame(self, shape: VideoShape) -> int:
        """What the skip connections keep, input and output of the last stage; noise as integers."""
        height, width = self.canvas(shape.height, shape.width)
        kept = 4 * self.noise_channels + 2 * self.channels
        return height * width * (kept + 2 * self.channels + self.skip_channels)

    def _scale_weights(self) -> list[tuple[int, int, int]]:
        """Weights of the encoder, the decoder and the skip connection of every scale."""
        area = self.kernel_size**2
        return [
            (
                area * plan.encoder_in * self.channels,
                area * plan.decoder_in * self.channels,
                plan.encoder_in * self.skip_channels,
            )
            for plan in self.plan_scales()
        ]
