"""nvcodec: a video codec whose bitstream is a neural network.

    import nvcodec

    report = nvcodec.encode("in.y4m", "out.nvc", preset="hinerv-mini", epochs=40)
    for pixels in nvcodec.decode("out.nvc"):        # (H, W, 3) RGB; (H, W, 1) for grey; uint8
        ...
    with nvcodec.open("out.nvc") as video:
        last = video[-1]
    print(nvcodec.info("out.nvc").size_bytes)

Importing this loads no torch; `info` never does, the others do when called.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from nvcodec.version import __version__

if TYPE_CHECKING:
    from nvcodec.container.header import Limits
    from nvcodec.container.reader import Inspection
    from nvcodec.decoder import Decoder
    from nvcodec.encode_types import EncodeReport, Event
    from nvcodec.presets import Preset
    from nvcodec.samples import Samples
    from nvcodec.video.info import Pixels
    from nvcodec.video.raw import RawGeometry
    from nvcodec.video.scaling import Scale

__all__ = ["__version__", "decode", "encode", "info", "open", "refine"]


def encode(
    source: "str | Path | BinaryIO | Sequence[str | Path]",
    target: "str | Path | BinaryIO",
    preset: "str | Path | Preset" = "auto",
    *,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
    max_time_s: float | None = None,
    samples: "Samples | str | None" = None,
    segment_frames: int = 600,
    frames: slice | None = None,
    scale: "Scale | str | float | None" = None,
    frame_rate: Fraction | None = None,
    raw: "RawGeometry | None" = None,
    depth: int | None = None,
    seed: int = 0,
    device: str = "auto",
    workdir: str | Path | None = None,
    restart: bool = False,
    overwrite: bool = False,
    verify: bool = True,
    limits: "Limits | None" = None,
    show_frames: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: "Callable[[Event], None]" = lambda event: None,
) -> "EncodeReport":
    """Fit a network to a video and write a `.nvc` file; the same call continues a stopped one.

    Args:
        source: a file that ffmpeg reads, Y4M, raw `.yuv`, a folder of pictures, or a stream; or
            several files of one size, which `decode(path, clip="name")` gives back one by one.
        target: a path, or a binary stream that is written forward only.
        preset: a name, the path of a `.toml` file, or a loaded preset; `auto` chooses by picture
            size, number of frames and motion, and tells with `PresetChosen`.
        overrides: `KEY=VALUE` changes of the preset, such as `stages.0.epochs=10`.
        epochs: passes over the frames in all, shared among the stages.
        lmbda: weight of the distortion, for presets with rate-distortion fitting.
        max_time_s: seconds for everything, instead of epochs.
        samples: what is fitted: `rgb`, `yuv`, `yuv420`; None: as the preset says, or grey.
        segment_frames: longest segment; segments are coded alone.
        frames: range of the source's frames.
        scale: to this size first: (width, height), or as the command takes it: `"320x-2"`, `"1/2"`,
            0.5.
        frame_rate: instead of the source's own, frames a second.
        raw: geometry of a raw planar source.
        depth: 8 rounds deeper samples to 8 bits; None: as the source has them.
        seed: of initial values, batches and noise.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        workdir: where the job's state is kept, instead of `OUT.nvc.job`.
        restart: throw a stored job away and begin anew.
        overwrite: replace an output that is there.
        verify: decode and measure what was written.
        limits: the most that a decoder shall be asked for; None: the usual.
        show_frames: tell `on_event` of frames too, as `FrameShown`: what one looks like now and
            then, and at the end each.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Returns:
        Sizes, rate and times; `quality` is that of the decoded file.

    Raises:
        NvcError: see `errors`.
    """
    from nvcodec.auto import asked_preset
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.encoder import encode as encode_video
    from nvcodec.samples import Samples

    _check_source(source)
    _check_types(frames)
    if isinstance(preset, str | Path):
        asked = asked_preset(str(preset), overrides, epochs, lmbda)
    elif overrides or epochs is not None or lmbda is not None:
        raise TypeError("overrides, epochs and lmbda go with a preset's name, not a loaded one")
    else:
        asked = preset
    options = EncodeOptions(
        samples=None if samples is None else Samples(samples),
        segment_frames=segment_frames, seed=seed, device=device, frames=frames,
        scale=_scale(scale), frame_rate=frame_rate, raw=raw, depth=depth,
        workdir=None if workdir is None else Path(workdir), restart=restart,
        overwrite=overwrite, verify=verify, limits=limits or DEFAULT_LIMITS, max_time_s=max_time_s,
        show_frames=show_frames,
    )  # fmt: skip
    return encode_video(source, target, asked, options, should_stop=should_stop, on_event=on_event)


def refine(
    path: str | Path,
    source: "str | Path | BinaryIO | Sequence[str | Path]",
    target: "str | Path | BinaryIO",
    preset: str | Path | None = None,
    *,
    segment: int | None = None,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
    max_time_s: float | None = None,
    frames: slice | None = None,
    scale: "Scale | str | float | None" = None,
    frame_rate: Fraction | None = None,
    raw: "RawGeometry | None" = None,
    seed: int = 0,
    device: str = "auto",
    workdir: str | Path | None = None,
    restart: bool = False,
    overwrite: bool = False,
    limits: "Limits | None" = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: "Callable[[Event], None]" = lambda event: None,
) -> "EncodeReport":
    """Fit a `.nvc` file further, into another; the same call continues a stopped one.

    A segment that does not get better stays as it was, which `SegmentRefined` tells.

    Args:
        path: the file; it is only read.
        source: the video that it was made of, as `encode` takes it.
        target: a path, or a binary stream that is written forward only.
        preset: name or `.toml` file of the file's preset; None: as the file says.
        segment: the only one that is fitted, others stay byte for byte; None: all.
        overrides: `KEY=VALUE` changes of the preset, before it is shortened.
        epochs: passes over the frames in all; None: half of the preset's.
        lmbda: weight of the distortion; None: as the file says.
        max_time_s: seconds for everything, instead of epochs.
        frames: range of the source's frames.
        scale: to this size first, as `encode` takes it.
        frame_rate: instead of the source's own, frames a second.
        raw: geometry of a raw planar source.
        seed: of batches and noise.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        workdir: where the job's state is kept, instead of `OUT.nvc.job`.
        restart: throw a stored job away and begin anew.
        overwrite: replace an output that is there.
        limits: the most that a decoder shall be asked for; None: the usual.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.

    Returns:
        As `encode`, of the whole file.

    Raises:
        NvcError: see `errors`.
    """
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.original import RefineSettings
    from nvcodec.refiner import refine as refine_file

    _check_source(source)
    _check_types(frames)
    name = None if preset is None else str(preset)
    options = EncodeOptions(
        seed=seed, device=device, frames=frames, scale=_scale(scale), frame_rate=frame_rate,
        raw=raw, workdir=None if workdir is None else Path(workdir), restart=restart,
        overwrite=overwrite, limits=limits or DEFAULT_LIMITS, max_time_s=max_time_s,
    )  # fmt: skip
    return refine_file(
        path, source, target, RefineSettings(name, overrides, epochs, lmbda, segment), options,
        should_stop=should_stop, on_event=on_event,
    )  # fmt: skip


def open(
    path: "str | Path | BinaryIO",
    *,
    frames: slice | None = None,
    device: str = "auto",
    precision: Literal["fp16", "bf16", "fp32"] = "fp16",
    limits: "Limits | None" = None,
    keep_going: bool = False,
    clip: str | None = None,
) -> "Decoder":
    """A `.nvc` file for reading: `[t]` gives one frame as `decode` does, `len()` their number.

    Only the segment that holds a frame is read and decoded. A context manager.

    Args:
        path: a file, or a binary stream that is read forward only.
        frames: range of frames wanted when iterating.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        precision: arithmetic on the FP16 weights; a CPU takes float32 for `fp16`.
        limits: the most that a file may ask for; None: the usual.
        keep_going: give what is intact of a damaged or unfinished file.
        clip: name or number of one of the videos in the file.

    Raises:
        BitstreamError: the bytes are no readable `.nvc` file.
    """
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.decoder import Decoder

    if isinstance(path, bytes | bytearray | memoryview):
        raise TypeError("path: bytes; wrap them: io.BytesIO(...)")
    _check_types(frames)
    return Decoder(
        path, frames=frames, device=device, precision=precision, limits=limits or DEFAULT_LIMITS,
        keep_going=keep_going, clip=clip,
    )  # fmt: skip


def decode(
    path: "str | Path | BinaryIO",
    *,
    frames: slice | None = None,
    device: str = "auto",
    precision: Literal["fp16", "bf16", "fp32"] = "fp16",
    limits: "Limits | None" = None,
    keep_going: bool = False,
    clip: str | None = None,
) -> "Iterator[Pixels]":
    """The frames of a `.nvc` file, in order; arguments are those of `open`.

    Returns:
        An iterator; the file is opened at once. Pixels are for looking at, whatever samples were
        fitted: (H, W, 3), full-range RGB; or (H, W, 1), full-range grey, for a grey video; uint8,
        or uint16 from 0 to 2^d - 1 for a video of d bits, more than 8 (`Decoder.info.depth`).
        `Decoder.planes` gives the source's samples.

    Raises:
        BitstreamError: damage, after the frames before it.
    """
    decoder = open(
        path, frames=frames, device=device, precision=precision, limits=limits,
        keep_going=keep_going, clip=clip,
    )  # fmt: skip

    def pixels() -> "Iterator[Pixels]":
        with decoder:
            yield from decoder

    return pixels()


def _check_source(source: object) -> None:
    """Say in one line what is no source."""
    is_several = isinstance(source, Sequence) and not isinstance(source, bytes)
    if not (is_several or isinstance(source, Path) or hasattr(source, "read")):
        raise TypeError(
            f"source: {type(source).__name__}; allowed are a path, a binary stream, or paths; "
            "nvcodec.video.create_video writes frames as a file"
        )


def _check_types(frames: object) -> None:
    """Say in one line what would fail deep inside."""
    if not (frames is None or isinstance(frames, slice)):
        raise TypeError(f"frames: {frames!r}; allowed is slice(start, stop)")


def _scale(scale: "Scale | str | float | None") -> "Scale | None":
    """A size to scale to, also in the words of the command line."""
    from nvcodec.video.scaling import parse_scale

    if isinstance(scale, str | float):
        return parse_scale(str(scale))
    if not (scale is None or isinstance(scale, Fraction | tuple)):
        raise TypeError(f'scale: {scale!r}; allowed are (width, height), "320x-2", "1/2", 0.5')
    return scale


def info(path: str | Path) -> "Inspection":
    """What a `.nvc` file says about itself, and where every byte of it goes; loads no torch.

    Returns:
        `head` (size, colours, representation, scheme), `size_bytes`, `segments`, `entries` whose
        sizes sum to `size_bytes`, and `damage`, empty for a whole file.

    Raises:
        BitstreamError: the beginning of the file is not readable.
    """
    from nvcodec.container.reader import inspect

    return inspect(path)
