"""nvcodec: a video codec whose bitstream is a neural network."""

__version__ = "0.1.0"
