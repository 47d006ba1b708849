"""What encoding a segment will take and give, told before anything is fitted."""

from dataclasses import dataclass

from nvcodec.coding.schemes import load_scheme
from nvcodec.errors import PresetError
from nvcodec.presets import Preset
from nvcodec.samples import VideoShape
from nvcodec.segment_values import memory_bytes
from nvcodec.video.info import VideoInfo


@dataclass(frozen=True)
class Expectation:
    """Sizes of one segment's network, bytes of its section of the file, memory of its fitting."""

    num_parameters: int
    macs_per_frame: int
    size_bytes: int
    memory_bytes: int


def expect(preset: Preset, shape: VideoShape, info: VideoInfo) -> Expectation:
    """What to expect of a segment.

    Args:
        preset: what is to be fitted, resolved for the picture.
        shape: of the segment's samples.
        info: of the source, whose frames are kept beside their samples.

    Raises:
        PresetError: the preset does not suit such a segment.
    """
    config, scheme = preset.representation, load_scheme(preset.scheme)
    try:
        specs = config.tensors(shape)
    except ValueError as error:
        raise PresetError(
            f"preset {preset.name}: {error}", "{segment_frames} makes segments shorter"
        ) from error
    num_parameters = sum(spec.num_values for spec in specs)
    batch = 1 if preset.fitting.patch_size else preset.fitting.batch_size
    activations = 10 * batch * config.activations_per_frame(shape) * 4
    values = shape.height * shape.width * shape.channels
    frame_bytes = values * info.sample_type.itemsize + info.frame_bytes
    moments = 8 * num_parameters
    decoding = memory_bytes(config, shape, scheme, info.depth)
    return Expectation(
        num_parameters=num_parameters,
        macs_per_frame=config.macs_per_frame(shape),
        size_bytes=round(scheme.expected_bits(specs, preset.stages[-1].bits_per_value) / 8),
        memory_bytes=decoding + moments + activations + shape.num_frames * frame_bytes,
    )
