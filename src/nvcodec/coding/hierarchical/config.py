"""Settings of the hierarchical scheme."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from nvcodec.coding.scheme import SchemeConfig

Kernel = Annotated[int, Field(ge=1, le=7)]
BlockSide = Annotated[int, Field(ge=1, le=64)]


class HierarchicalConfig(SchemeConfig):
    """Settings of the scheme; the switches at the end are NVRC's ablations V1, V2 and V4."""

    kind: Literal["hierarchical"] = "hierarchical"
    share: int = Field(
        default=128, ge=1, le=1 << 24, description="values that a side vector's entry serves"
    )
    context_kernels: tuple[Kernel, ...] = Field(
        default=(5, 1, 1), min_length=1, max_length=4, description="cubic kernel of each layer, odd"
    )
    """NVRC: (5, 5, 5). Differs: one layer looks around, the others think, and grids decode
    about six times as fast."""
    context_width: int = Field(default=8, ge=1, le=32, description="hidden channels a channel")
    context_shared: bool = Field(default=False, description="one network for all channels")
    context_weight_bits: int = Field(
        default=8, ge=3, le=8, description="bits of the largest weight of a context layer"
    )
    block: tuple[BlockSide, BlockSide, BlockSide] = Field(
        default=(16, 8, 8), description="block of a grid along t, h, w"
    )
    width_per_block: bool = Field(default=True, description="bin widths per block, not per grid")
    bits: int = Field(
        default=8, ge=2, le=12, description="symbol width for tensors without side information"
    )
    per_tensor: bool = Field(default=False, description="V1: no side vectors along axes")
    context: bool = Field(default=True, description="V2 if False: one Gaussian a grid channel")
    phi_coded: bool = Field(default=True, description="V4 if False: phi in 16 bits an entry")

    @field_validator("context_kernels")
    @classmethod
    def _kernels_are_odd(cls, kernels: tuple[int, ...]) -> tuple[int, ...]:
        if kernels[0] < 3 or any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError("kernels must be odd, the first at least 3")
        return kernels
