"""nvcodec: a video codec whose bitstream is a neural network.

    import nvcodec

    report = nvcodec.encode("in.y4m", "out.nvc", preset="hinerv-mini", epochs=40)
    for pixels in nvcodec.decode("out.nvc"):        # uint8 (H, W, 3) RGB; (H, W, 1) for grey
        ...
    with nvcodec.open("out.nvc") as video:
        last = video[-1]
    print(nvcodec.info("out.nvc").size_bytes)

Importing this loads no torch; `info` never does, the others do when called.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nvcodec.container.reader import Inspection
    from nvcodec.decoder import Decoder
    from nvcodec.encode_types import EncodeReport, Event
    from nvcodec.presets import Preset

__version__ = "0.1.0"
__all__ = ["__version__", "decode", "encode", "info", "open"]


def encode(
    source: "str | Path | BinaryIO | Sequence[str | Path]",
    target: "str | Path | BinaryIO",
    preset: "str | Preset" = "hinerv-mini",
    *,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: "Callable[[Event], None]" = lambda event: None,
    **settings: Any,
) -> "EncodeReport":
    """Fit a network to a video and write a `.nvc` file; the same call continues a stopped one.

    Args:
        source: a file that ffmpeg reads, Y4M, raw `.yuv`, a folder of pictures, or a stream; or
            several files of one size, which `decode(path, clip="name")` gives back one by one.
        target: a path, or a binary stream that is written forward only.
        preset: a name, the path of a `.toml` file, or a loaded preset.
        overrides: `KEY=VALUE` changes of the preset, such as `stages.0.epochs=10`.
        epochs: passes over the frames in all, shared among the stages.
        lmbda: weight of the distortion, for presets with rate-distortion fitting.
        should_stop: asked often; True saves the state and raises `InterruptedEncodeError`.
        on_event: told of progress.
        **settings: fields of `encode_types.EncodeOptions`: `frames=slice(0, 32)`,
            `scale=(320, 180)`, `segment_frames`, `samples`, `seed`, `device`, `overwrite`
            and others.

    Returns:
        Sizes, rate and times; `quality` is that of the decoded file.

    Raises:
        NvcError: see `errors`.
        TypeError: a setting that does not exist.
    """
    from nvcodec.encode_types import EncodeOptions
    from nvcodec.encoder import encode as encode_video
    from nvcodec.presets import load_preset

    chosen = EncodeOptions(**settings)
    if isinstance(preset, str):
        preset = load_preset(preset, overrides, epochs, lmbda)
    elif overrides or epochs is not None or lmbda is not None:
        raise TypeError("overrides, epochs and lmbda go with a preset's name, not a loaded one")
    return encode_video(source, target, preset, chosen, should_stop=should_stop, on_event=on_event)


def decode(path: "str | Path | BinaryIO", **settings: Any) -> "Iterator[NDArray[np.uint8]]":
    """The frames of a `.nvc` file, in order.

    Args:
        path: a file, or a binary stream that is read forward only.
        **settings: those of `decoder.Decoder`: `frames=slice(8, 16)`, `device`, `precision`,
            `limits`, `keep_going`, `clip`.

    Yields:
        Pixels for looking at, whatever samples were fitted: uint8 (H, W, 3), full-range RGB; or
        (H, W, 1), full-range grey, for a grey video. `Decoder.planes` gives the source's samples.

    Raises:
        BitstreamError: damage, after the frames before it.
    """
    from nvcodec.decoder import Decoder

    with Decoder(path, **settings) as decoder:
        yield from decoder


def open(path: "str | Path | BinaryIO", **settings: Any) -> "Decoder":
    """A `.nvc` file for reading: `[t]` gives one frame as `decode` does, `len()` their number.

    Only the segment that holds a frame is read and decoded. A context manager; see
    `decoder.Decoder` for the settings.
    """
    from nvcodec.decoder import Decoder

    return Decoder(path, **settings)


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
