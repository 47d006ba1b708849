"""What a fitting tells about once a second, free of torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FitRecord:
    """Where a fitting stands."""

    stage: str
    stage_number: int
    num_stages: int
    step: int
    num_steps: int
    """Steps done and steps in all, over every stage."""
    loss: float
    elapsed_s: float
    """Time spent in all runs of this job."""
    eta_s: float
    psnr_db: float | None
    """PSNR of the quantized representation on some frames, when last measured."""
    size_bytes: int | None
    """Coded bytes of the segment, when last measured."""
    estimated_bits: dict[str, float]
    """Rate that a rate-distortion stage minimises, by group of tensors, when last measured."""
    coded_bits: dict[str, float]
    """What the coder takes for the same groups."""
