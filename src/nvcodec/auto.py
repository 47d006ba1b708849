"""Which preset suits a video, where none is named.

    an unfinished file --------------------------------------------------> its preset
    VideoReader --look--> Facts --choose--> Choice (preset, reason) --AutoPreset--> Preset

`choose` is the whole decision. On everything measured up to 640x360 and 300 frames `latents` needs
half a network's bits or fewer (`docs/results.md`). A network is paid for once a segment: it takes
many large frames to be worth its bits, and a GPU, or little motion, to be fitted to them.
`benchmarks/where_it_wins.py` measures where the limits are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from nvcodec.encode_plan import plan_encoding
from nvcodec.encode_types import EncodeOptions, Event, PresetChosen
from nvcodec.expectation import expect
from nvcodec.job import stored_preset
from nvcodec.presets import AUTO, Preset, load_preset, preset_names
from nvcodec.survey import Survey
from nvcodec.video import VideoInfo, VideoReader
from nvcodec.video.motion import LOOKED_FRAMES, motion

SMALL_PIXELS = 640 * 360
"""Of a frame, up to which it is small."""
SHORT_FRAMES = 300
"""Frames of a segment, up to which it is short."""
LARGE_PIXELS = SMALL_PIXELS * SHORT_FRAMES
"""Of all frames of a segment, from which a GPU fits a network."""
STILL_MOTION = 0.15
"""`motion` up to which a video is nearly still."""
FAST_MOTION = 0.4
"""`motion` from which frames are predicted from nearer ones."""
LATENTS, LATENTS_MOVING = "latents", "latents-moving"
NETWORK_OF_CPU = "nvrc-mini"
NETWORKS_OF_GPU = ((1920 * 1080 * 150, "nvrc-s1"), (float("inf"), "nvrc-s2"))
"""Pixels of all frames of a segment, up to which each is taken: the smallest sizes that NVRC prints
for MCL-JCV (150 frames of 1920x1080) and for UVG (600)."""
SIZES_OF_CPU = ("nvrc-tiny", NETWORK_OF_CPU)
SIZES_OF_GPU = ("nvrc-s1", "nvrc-s2", "nvrc-s3", "nvrc-s4", "nvrc-xxl")
"""Networks that a size asked for chooses among, small to large."""
CHOICES = (LATENTS, LATENTS_MOVING, *SIZES_OF_CPU, *SIZES_OF_GPU)


@dataclass(frozen=True)
class Facts:
    """What the choice goes by."""

    width: int
    height: int
    num_frames: int
    """Of the longest segment, which one network would serve; at least so many where the choice does
    not depend on it."""
    motion: float
    """As `video.motion` measures it."""
    has_gpu: bool = False
    """Whether it is fitted on one."""

    @property
    def size(self) -> str:
        """Of a frame, as people write it."""
        return f"{self.width}x{self.height}"

    @property
    def all_pixels(self) -> int:
        """Of all frames."""
        return self.width * self.height * self.num_frames

    @property
    def is_small(self) -> bool:
        """Whether a network is not worth it, however long the video is."""
        return self.width * self.height <= SMALL_PIXELS

    @property
    def depends_on_length(self) -> bool:
        """Whether the choice does."""
        return not self.is_small and (self.has_gpu or self.motion <= STILL_MOTION)


class Choice(NamedTuple):
    """A preset's name, and why, in words for one line."""

    preset: str
    reason: str


def choose(facts: Facts) -> Choice:
    """The preset for a video of which these facts are known.

    one frame                   all of a segment                         preset
    up to 640x360                                                        latents
    larger, fitted on a GPU     over 69, up to 311 million pixels        nvrc-s1
    larger, fitted on a GPU     over 311 million pixels                  nvrc-s2
    larger                      motion over 0.15                         latents
    larger                      up to 300 frames                         latents
    larger                      over 300 frames, motion up to 0.15       nvrc-mini

    latents with motion over 0.4 is latents-moving. Where a size is asked for, the network is the
    nearest of nvrc-tiny and nvrc-mini, or on a GPU of nvrc-s1, -s2, -s3, -s4 and -xxl.
    """
    frames = f"{facts.num_frames} frames of {facts.size}"
    moves = f"changes by {facts.motion:.2f} of its detail a frame"
    if facts.is_small:
        choice = Choice(LATENTS, f"{facts.size} is small, up to 640x360")
    elif facts.has_gpu and facts.all_pixels > LARGE_PIXELS:
        preset = next(name for most, name in NETWORKS_OF_GPU if facts.all_pixels <= most)
        choice = Choice(preset, f"{frames} are many, on a GPU")
    elif facts.motion > STILL_MOTION:
        choice = Choice(LATENTS, f"{facts.size} {moves}; up to {STILL_MOTION} is nearly still")
    elif facts.num_frames <= SHORT_FRAMES:
        choice = Choice(LATENTS, f"{frames} are few, up to {SHORT_FRAMES}")
    else:
        choice = Choice(NETWORK_OF_CPU, f"{frames} are many, and nearly still")
    if choice.preset == LATENTS and facts.motion > FAST_MOTION:
        return Choice(LATENTS_MOVING, f"{choice.reason}; {moves}, over {FAST_MOTION} is fast")
    return choice


def sized(
    choice: Choice, info: VideoInfo, survey: Survey, options: EncodeOptions, has_gpu: bool
) -> Choice:
    """The choice, or where that is a network, the one whose bytes come nearest to a size asked for.

    Lambda then makes of a network's bytes half or twice as many, but not ten times.
    """
    names = SIZES_OF_GPU if has_gpu else SIZES_OF_CPU
    goal, count = options.goal, survey.num_frames
    if choice.preset not in names or goal is None or not goal.has_size or count is None:
        return choice
    whole = goal.sized(count, survey.frame_rate).size_bytes
    assert whole is not None
    num_frames = min(count, options.segment_frames)
    share = max(whole - survey.beside_bytes, 1) * num_frames / count
    sizes = {name: _size_bytes(name, info, num_frames) for name in names}
    nearest = min(names, key=lambda name: abs(math.log(sizes[name] / share)))
    expected = f"about {sizes[nearest] / 1e3:,.0f} kB a segment, nearest to {share / 1e3:,.0f} kB"
    return Choice(nearest, f"{choice.reason}; {expected}")


def _size_bytes(name: str, info: VideoInfo, num_frames: int) -> int:
    """Of a segment by a preset as it is."""
    plan = plan_encoding(info, load_preset(name), EncodeOptions())
    shape = plan.samples.shape(num_frames, info.height, info.width)
    return expect(plan.preset, shape, plan.info).size_bytes


def look(video: VideoReader, segment_frames: int, has_gpu: bool) -> Facts:
    """The facts of an open video, none of whose frames is lost by looking.

    Reads few frames; those of a segment where nobody says how many there are and that matters.

    Raises:
        VideoError: it is broken.
    """
    info, frames = video.info, video.first(LOOKED_FRAMES)
    num_frames = min(info.num_frames or len(frames), segment_frames)
    facts = Facts(info.width, info.height, num_frames, motion(frames, info), has_gpu)
    if info.num_frames is None and facts.depends_on_length:
        facts = replace(facts, num_frames=len(video.first(segment_frames)))
    return facts


@dataclass(frozen=True)
class AutoPreset:
    """A preset that is chosen once the video is open; the rest as `load_preset` takes it."""

    overrides: Sequence[str] = ()
    epochs: int | None = None
    lmbda: float | None = None
    names: ClassVar[tuple[str, ...]] = CHOICES
    """What it may be in the end."""

    def chosen_for(
        self,
        video: VideoReader,
        survey: Survey,
        path: Path | None,
        options: EncodeOptions,
        has_gpu: bool,
        on_event: Callable[[Event], None],
    ) -> Preset:
        """The preset for a video, which is told before it is loaded.

        Args:
            video: open, and not read yet.
            survey: what is known of the whole.
            path: of the output, whose unfinished encoding goes on with its preset; None for a
                stream.
            options: everything else.
            has_gpu: whether it will be fitted on one.
            on_event: told of the choice.

        Raises:
            PresetError: what was to be changed in it cannot be.
            VideoError: the video is broken.
        """
        begun = None
        if path is not None and not options.restart:
            begun = stored_preset(path, options.workdir)
        if begun in preset_names():
            choice = Choice(begun, "the unfinished file has it")
        else:
            choice = choose(look(video, options.segment_frames, has_gpu))
            choice = sized(choice, video.info, survey, options, has_gpu)
        on_event(PresetChosen(*choice))
        return load_preset(choice.preset, self.overrides, self.epochs, self.lmbda)


def asked_preset(
    name: str,
    overrides: Sequence[str] = (),
    epochs: int | None = None,
    lmbda: float | None = None,
) -> Preset | AutoPreset:
    """What a user named: `auto`, or what `load_preset` loads.

    Raises:
        PresetError: see `load_preset`.
    """
    if name == AUTO:
        return AutoPreset(overrides, epochs, lmbda)
    return load_preset(name, overrides, epochs, lmbda)
