"""How a clip is coded: one point of a curve, as the two commands that encode and decode it.

A `Coder` names its curve (`codec`) and its place on it (`point`); nvcodec's and a baseline's look
alike to the runner. Commands are lists; with names in place of paths they are what is printed and
stored, and what a finished point is recognised by.
"""

import argparse
import re
import shlex
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nvcodec.bench.baselines import Baseline, load_baseline
from nvcodec.bench.datasets import Survey, VideoSequence
from nvcodec.container.reader import inspect
from nvcodec.errors import PresetError
from nvcodec.presets import Preset, load_preset
from nvcodec.samples import Chroma, Samples

SIZE = re.compile(r"-(tiny|mini|x*s|m|x*l|s[0-9])$")
"""What ends the name of a preset that is one of several sizes."""
PASSES = 3
"""Work of a fitting step, in renderings of its frame: one forward, two backward."""
GMAC_PER_S = 20.0
"""Rough speed of fitting on two cores, for a first guess."""
START_S = 5.0
"""Until Python and torch are loaded, and for decoding once."""


@dataclass(frozen=True)
class Source:
    """A clip that has been looked at, and the same frames as Y4M."""

    clip: VideoSequence
    seen: Survey
    y4m: Path

    def named(self) -> "Source":
        """The same without folders, for showing."""
        clip = VideoSequence(self.clip.name, Path(self.clip.path.name), self.clip.settings)
        return Source(clip, self.seen, Path(f"{self.clip.name}.y4m"))


class Coder(ABC):
    """One way to code a clip: a point of a curve."""

    codec: str
    """Name of the curve."""

    @property
    @abstractmethod
    def point(self) -> str:
        """Its place there."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """Of the coded file."""

    @abstractmethod
    def encode_command(self, source: Source, coded: Path) -> list[str]:
        """From the source to a coded file."""

    @abstractmethod
    def decode_command(self, coded: Path, decoded: Path) -> list[str]:
        """From a coded file to what `decoded_name` says."""

    def decoded_name(self, seen: Survey) -> str:
        """What to decode to."""
        return "out.y4m"

    @abstractmethod
    def guess_s(self, seen: Survey) -> float:
        """A first guess of the time that encoding takes."""

    def identity(self) -> str:
        """What tells apart two points whose commands look alike."""
        return ""

    def shown(self, source: Source) -> str:
        """The encoding as people would write it."""
        return _shown(self.encode_command(source.named(), Path(f"out{self.suffix}")))

    def decode_shown(self, seen: Survey) -> str:
        """The decoding as people would write it."""
        coded, decoded = Path(f"out{self.suffix}"), Path(self.decoded_name(seen))
        return _shown(self.decode_command(coded, decoded))


def _shown(words: Sequence[str]) -> str:
    is_nvc = list(words[1:3]) == ["-m", "nvcodec"]
    return _join(["nvc", *words[3:]] if is_nvc else ["ffmpeg", *words[1:]])


def _join(words: Sequence[str]) -> str:
    """Words as typed, presets' files without their folders."""
    return shlex.join(Path(word).name if word.endswith(".toml") else word for word in words)


@dataclass(frozen=True)
class BaselineCoder(Coder):
    """A baseline at one rate."""

    name: str
    baseline: Baseline
    rate: int
    speed: str
    is_intra_each_second: bool = False
    """One intra frame a second, instead of one in all."""

    @property
    def codec(self) -> str:  # type: ignore[override]
        """Its name, and what of its settings is not its own: `x265 ultrafast`."""
        speed = "" if self.speed == self.baseline.speed else f" {self.speed}"
        return self.name + speed + " intra 1s" * self.is_intra_each_second

    @property
    def point(self) -> str:
        """Such as `crf 27`."""
        return f"{self.baseline.rate_name} {self.rate}"

    @property
    def suffix(self) -> str:
        """That of the elementary stream."""
        return f".{self.baseline.format}"

    def encode_command(self, source: Source, coded: Path) -> list[str]:
        """See `Coder`."""
        period = round(source.seen.info.frame_rate) if self.is_intra_each_second else None
        return self.baseline.encode_command(source.y4m, coded, self.rate, self.speed, period)

    def decode_command(self, coded: Path, decoded: Path) -> list[str]:
        """See `Coder`."""
        return self.baseline.decode_command(coded, decoded)

    def guess_s(self, seen: Survey) -> float:
        """See `Coder`."""
        return 0.3 + seen.megapixels * self.baseline.seconds_per_megapixel


@dataclass(frozen=True)
class NvcCoder(Coder):
    """nvcodec at a preset and options of `nvc encode`."""

    codec: str
    preset: Preset
    words: tuple[str, ...]
    """What follows `nvc encode IN -o OUT -p`."""
    device: str = "auto"

    @property
    def suffix(self) -> str:
        """That of our files."""
        return ".nvc"

    @property
    def point(self) -> str:
        """Preset and options."""
        return _join(self.words)

    def identity(self) -> str:
        """Changes with anything in the preset."""
        return self.preset.model_dump_json()

    def encode_command(self, source: Source, coded: Path) -> list[str]:
        """See `Coder`."""
        start = [*_nvc("encode"), str(source.clip.path), "-o", str(coded), "-p", *self.words]
        start += ["--no-verify", "--no-audio", "--json", "-y"]
        return start + source.clip.settings.words() + self._device()

    def decode_command(self, coded: Path, decoded: Path) -> list[str]:
        """See `Coder`."""
        return [*_nvc("decode"), str(coded), "-o", str(decoded), "--json", "-y", *self._device()]

    def decoded_name(self, seen: Survey) -> str:
        """Y4M, or a folder of pictures where the source is RGB, which Y4M does not hold."""
        return "decoded" if seen.info.chroma is Chroma.RGB else "out.y4m"

    def facts(self, coded: Path) -> dict[str, Any]:
        """What a finished file tells: its network's size, of the first segment; where bytes go."""
        inspection = inspect(coded)
        head, config = inspection.head, self.preset.representation
        num_frames = inspection.segments[0].num_frames
        shape = head.samples.shape(num_frames, head.height, head.width)
        sizes: Counter[str] = Counter()
        for entry in inspection.entries:
            for part in entry.parts or [entry]:
                sizes[part.kind] += part.size
        return {
            "parameters": config.num_parameters(shape),
            "gmac_per_frame": config.macs_per_frame(shape) / 1e9,
            "samples": head.samples.value,
            "seed": _options(self.words[1:]).seed,
            "bytes_by_kind": dict(sizes),
        }

    def guess_s(self, seen: Survey) -> float:
        """See `Coder`."""
        wanted = _options(self.words[1:]).color
        samples = self.preset.samples if wanted in (None, "auto") else Samples(wanted)
        shape = samples.shape(seen.num_frames, seen.info.height, seen.info.width)
        macs = self.preset.representation.macs_per_frame(shape)
        epochs = sum(stage.epochs for stage in self.preset.stages)
        return START_S + PASSES * epochs * seen.num_frames * macs / 1e9 / GMAC_PER_S

    def _device(self) -> list[str]:
        return [] if self.device == "auto" else ["--device", self.device]


def _nvc(command: str) -> list[str]:
    return [sys.executable, "-m", "nvcodec", command]


def baseline_coders(
    names: Sequence[str],
    rates: Mapping[str, Sequence[int]],
    speeds: Mapping[str, str],
    *,
    is_intra_each_second: bool = False,
) -> Iterator[BaselineCoder]:
    """Coders of baselines, each at its own rates.

    Raises:
        PresetError: an unknown baseline, or a rate that it does not have.
    """
    for unused in sorted({*rates, *speeds} - set(names)):
        raise PresetError(f"{unused}: is not among the baselines {', '.join(names) or 'none'}")
    for name in names:
        baseline = load_baseline(name)
        low, high = baseline.rate_range
        for rate in rates.get(name, baseline.rates):
            if not low <= rate <= high:
                raise PresetError(
                    f"{name}: {baseline.rate_name} {rate}; allowed are {low} to {high}"
                )
            speed = speeds.get(name, baseline.speed)
            yield BaselineCoder(name, baseline, rate, speed, is_intra_each_second)


def nvc_coders(
    texts: Sequence[str],
    common: Sequence[str],
    lmbdas: Sequence[float],
    device: str,
    epochs: int | None = None,
) -> Iterator[NvcCoder]:
    """Coders of nvcodec.

    Args:
        texts: `[CURVE=]PRESET [OPTIONS]`, options being those of `nvc encode`. The curve is the
            preset's family unless it has a name: `hinerv` for `hinerv-tiny`.
        common: options for all of them.
        lmbdas: one point each for presets whose stages have a lmbda and whose own options do not;
            without any, those that the preset names.
        device: where they run.
        epochs: of presets whose options name none.

    Raises:
        PresetError: a preset or an option that cannot be used.
    """
    for text in texts:
        first, *own = shlex.split(text) or [""]
        curve, _, name = first.rpartition("=")
        words = [*own, *common]
        if epochs is not None and _options(words).epochs is None:
            words += ["--epochs", str(epochs)]
        preset = _read(name, words)
        is_open = preset.has_lmbda and _options(words).lmbda is None
        several = (lmbdas or preset.lmbdas) if is_open else ()
        for extra in [["--lmbda", f"{lmbda:g}"] for lmbda in several] or [[]]:
            chosen = (*words, *extra)
            yield NvcCoder(
                curve or family(name), _read(name, chosen), (name, *chosen), device=device
            )


def family(preset: str) -> str:
    """A preset's name without its size: `hinerv` of `hinerv-tiny`, all of `coin-mlp`."""
    name = Path(preset).stem if preset.endswith(".toml") else preset
    return SIZE.sub("", name)


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise PresetError(f"options of a preset: {message}")


def _options(words: Sequence[str]) -> argparse.Namespace:
    """Those options of `nvc encode` that matter here."""
    parser = _Options(add_help=False, allow_abbrev=False)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lmbda", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--color")
    return parser.parse_known_args(list(words))[0]


def _read(name: str, words: Sequence[str]) -> Preset:
    """The preset as `nvc encode` will read it."""
    options = _options(words)
    return load_preset(name, options.set, options.epochs, options.lmbda)
