"""nvcodec: a video codec whose bitstream is a neural network.

    import nvcodec

    report = nvcodec.encode("in.y4m", "out.nvc", preset="hinerv-mini", epochs=40)
    for pixels in nvcodec.decode("out.nvc"):        # (H, W, 3) RGB; (H, W, 1) for grey; uint8
        ...
    with nvcodec.open("out.nvc") as video:          # len(video), video.fps, video.shape
        last, some, at = video[-1], video[2:5], video[video.frame_at(1.5)]
        everything = np.asarray(video)              # uint8 (T, H, W, 3)
    print(nvcodec.info("out.nvc").size_bytes)

Importing this loads no torch; `info` never does, the others do when called.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from nvcodec.version import __version__

if TYPE_CHECKING:
    from nvcodec.container.header import Limits
    from nvcodec.container.reader import Inspection
    from nvcodec.decoder import Decoder
    from nvcodec.encode_types import EncodeReport, Event
    from nvcodec.goals import Goal
    from nvcodec.presets import Preset
    from nvcodec.samples import Samples
    from nvcodec.video.info import Pixels
    from nvcodec.video.raw import RawGeometry
    from nvcodec.video.scaling import Scale

__all__ = ["__version__", "decode", "encode", "info", "open", "refine"]


def encode(
    source: "str | Path | BinaryIO | Sequence[str | Path] | Iterable[Pixels]",
    target: "str | Path | BinaryIO",
    preset: "str | Path | Preset" = "auto",
    *,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
    goal: "Goal | None" = None,
    max_time: float | str | None = None,
    samples: "Samples | str | None" = None,
    segment_frames: int = 600,
    at_cuts: bool = False,
    gop: int = 1,
    frames: slice | range | None = None,
    scale: "Scale | str | float | None" = None,
    frame_rate: Fraction | float | str | None = None,
    raw: "RawGeometry | None" = None,
    depth: int | None = None,
    seed: int = 0,
    device: str = "auto",
    workers: int | str = 1,
    audio: bool = True,
    between: "tuple[Fraction, Fraction | None] | None" = None,
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
            several files of one size, which `decode(path, clip="name")` gives back one by one; or
            frames of uint8: an array (T, H, W, 3) of RGB or (T, H, W) of grey, or an iterable of
            arrays (H, W, 3) or (H, W).
        target: a path, or a binary stream that is written forward only.
        preset: a name, the path of a `.toml` file, or a loaded preset; `auto` chooses by picture
            size, number of frames and motion, and tells with `PresetChosen`.
        overrides: `KEY=VALUE` changes of the preset, such as `stages.0.epochs=10`.
        epochs: passes over the frames in all, shared among the stages.
        lmbda: weight of the distortion, for presets with rate-distortion fitting.
        goal: `nvcodec.goals.Goal(size_bytes=..., psnr_db=..., ...)`: what the file is to come to;
            lambda, or bin widths, are turned for it.
        max_time: seconds for everything, or a text such as "10m", instead of epochs.
        samples: what is fitted: `rgb`, `yuv`, `yuv420`; None: as the preset says, or grey.
        segment_frames: longest segment; segments are coded alone, unless `gop` says otherwise.
        at_cuts: segments begin at scene cuts that are a quarter of `segment_frames` or more apart,
            instead of being equally long.
        gop: segments in a chain, of which all but the first are coded as changes of the one before
            (`hinerv-*`, `nerv-*`).
        frames: range of the source's frames.
        scale: to this size first: (width, height), or as the command takes it: `"320x-2"`, `"1/2"`,
            0.5.
        frame_rate: instead of the source's own, frames a second: 25, Fraction(24000, 1001), or
            29.97 for the NTSC rate that it means.
        raw: geometry of a raw planar source.
        depth: 8 rounds deeper samples to 8 bits; None: as the source has them.
        seed: of initial values, batches and noise.
        device: `auto`, `cpu`, `cuda`, `cuda:1`; of `cuda:0,cuda:1` each worker gets one.
        workers: how many segments are fitted at once, by as many processes; or `ray`, a Ray cluster
            of this machine alone, or `ray://HOST:PORT`.
        audio: keep audio, subtitles, chapters and attachments as they are.
        between: instead of `frames`: from when to when, in seconds, the end excluded.
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
        TypeError, ValueError: an argument is none of those above.
    """
    from nvcodec import arguments
    from nvcodec.auto import asked_preset
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.encoder import encode as encode_video
    from nvcodec.samples import Samples

    video = arguments.source(source)
    if isinstance(preset, str | Path):
        asked = asked_preset(str(preset), overrides, epochs, lmbda)
    elif overrides or epochs is not None or lmbda is not None:
        raise TypeError("overrides, epochs and lmbda go with a preset's name, not a loaded one")
    else:
        asked = preset
    options = EncodeOptions(
        samples=None if samples is None else Samples(samples),
        segment_frames=segment_frames, at_cuts=at_cuts, gop=arguments.gop(gop), seed=seed,
        device=device, workers=workers,
        scale=arguments.scale(scale),
        frames=arguments.frames(frames), frame_rate=arguments.frame_rate(frame_rate), raw=raw,
        depth=depth, max_time_s=arguments.max_time_s(max_time),
        workdir=None if workdir is None else Path(workdir), restart=restart, overwrite=overwrite,
        verify=verify, limits=limits or DEFAULT_LIMITS, show_frames=show_frames, audio=audio,
        between=between, goal=goal,
    )  # fmt: skip
    return encode_video(video, target, asked, options, should_stop=should_stop, on_event=on_event)


def refine(
    path: str | Path,
    source: "str | Path | BinaryIO | Sequence[str | Path] | Iterable[Pixels]",
    target: "str | Path | BinaryIO",
    preset: str | Path | None = None,
    *,
    segment: int | None = None,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
    max_time: float | str | None = None,
    frames: slice | range | None = None,
    scale: "Scale | str | float | None" = None,
    frame_rate: Fraction | float | str | None = None,
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
        max_time: seconds for everything, or a text such as "10m", instead of epochs.
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
        TypeError, ValueError: an argument is none of those above.
    """
    from nvcodec import arguments
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.original import RefineSettings
    from nvcodec.refiner import refine as refine_file

    video, name = arguments.source(source), None if preset is None else str(preset)
    options = EncodeOptions(
        seed=seed, device=device, frames=arguments.frames(frames), scale=arguments.scale(scale),
        frame_rate=arguments.frame_rate(frame_rate), raw=raw,
        workdir=None if workdir is None else Path(workdir), restart=restart, overwrite=overwrite,
        limits=limits or DEFAULT_LIMITS, max_time_s=arguments.max_time_s(max_time),
    )  # fmt: skip
    return refine_file(
        path, video, target, RefineSettings(name, overrides, epochs, lmbda, segment), options,
        should_stop=should_stop, on_event=on_event,
    )  # fmt: skip


def open(
    path: "str | Path | BinaryIO",
    *,
    frames: slice | range | None = None,
    between: "tuple[Fraction, Fraction | None] | None" = None,
    device: str = "auto",
    precision: Literal["fp16", "bf16", "fp32"] = "fp16",
    limits: "Limits | None" = None,
    keep_going: bool = False,
    clip: str | None = None,
) -> "Decoder":
    """A `.nvc` file for reading, as a sequence of frames like those of `decode`.

    `[t]` gives one, `[a:b]` a list, `len()` their number, `numpy.asarray` all; `shape`, `fps` and
    `frame_at(seconds)` are there. Only the segment that holds a frame is read and decoded. A
    context manager.

    Args:
        path: a file, or a binary stream that is read forward only.
        frames: range of frames wanted when iterating.
        between: instead of `frames`: from when to when, in seconds, the end excluded.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        precision: arithmetic on the FP16 weights; a CPU takes float32 for `fp16`.
        limits: the most that a file may ask for; None: the usual.
        keep_going: give what is intact of a damaged or unfinished file.
        clip: name or number of one of the videos in the file.

    Raises:
        BitstreamError: the bytes are no readable `.nvc` file.
    """
    from nvcodec import arguments
    from nvcodec.container.header import DEFAULT_LIMITS
    from nvcodec.decoder import Decoder

    return Decoder(
        arguments.path(path), frames=arguments.frames(frames), between=between, device=device,
        precision=precision,
        limits=limits or DEFAULT_LIMITS, keep_going=keep_going, clip=clip,
    )  # fmt: skip


def decode(
    path: "str | Path | BinaryIO",
    *,
    frames: slice | range | None = None,
    between: "tuple[Fraction, Fraction | None] | None" = None,
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
        path, frames=frames, between=between, device=device, precision=precision, limits=limits,
        keep_going=keep_going, clip=clip,
    )  # fmt: skip

    def pixels() -> "Iterator[Pixels]":
        with decoder:
            yield from decoder

    return pixels()


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
