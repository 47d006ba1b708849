"""Every error that nvcodec raises on purpose, as one tree.

A message has four parts: what went wrong, where, what was seen, what is allowed. The command line
turns each class into an exit code; a library user catches `NvcError`, or the built-in class that
sits beside it.
"""

from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "overwrite": "overwrite=True",
    "restart": "restart=True",
    "audio": "audio=False",
}
"""How advice names a setting to a library user, where its own name does not do."""


class NvcError(Exception):
    """Root of all errors raised by nvcodec.

    Args:
        message: what went wrong.
        advice: which setting solves it, in braces: "{restart} throws the stored job away". The
            command line puts its flags there.
    """

    def __init__(self, message: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def text(self, names: Mapping[str, str]) -> str:
        """Message and advice, settings by these names, or else by their own."""
        message = str(self.args[0]) if self.args else ""
        return f"{message}; {self.advice.format_map(_Names(names))}" if self.advice else message

    def __str__(self) -> str:
        return self.text(SETTINGS)


class _Names(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name


class PresetError(NvcError, ValueError):
    """A preset, or a change of one of its settings, that cannot be used."""


class VideoError(NvcError):
    """A source video that cannot be read or a target that cannot be written as video."""


class UnsupportedVideoError(VideoError):
    """A video that is understood but outside what nvcodec codes."""


class FfmpegError(VideoError):
    """An ffmpeg process that failed; carries its command and its last lines."""


class ToolMissingError(NvcError):
    """An external program that is needed and not there."""


class OutputError(NvcError, OSError):
    """An output that exists already, cannot be written, or did not fit on the disk."""


class BitstreamError(NvcError, ValueError):
    """Bytes that are not a readable `.nvc` file. `decode` raises nothing else for any bytes."""


class NotAnNvcFileError(BitstreamError):
    """The signature is not that of a `.nvc` file."""


class UnsupportedVersionError(BitstreamError):
    """The file asks for a newer nvcodec."""


class TruncatedError(BitstreamError):
    """The file ends before its end chunk: cut off, or its encoding is unfinished."""


class ChecksumError(BitstreamError):
    """A checksum or a hash does not match the bytes it covers."""


class LimitError(BitstreamError):
    """The file declares more than the limits in force allow."""


class MalformedError(BitstreamError):
    """The file is complete and its checksums hold, but its content contradicts the format."""


class VerificationError(NvcError):
    """What was decoded is not what was encoded."""


class FitError(NvcError):
    """Fitting a representation failed."""


class DivergedError(FitError):
    """The loss became infinite or not a number."""


class FitMemoryError(FitError, MemoryError):
    """There is not the memory to fit with, not even for one patch at a time."""


class WorkerLostError(FitError):
    """Processes or machines that fit a segment end again and again."""


class ResumeError(FitError):
    """A stored job does not belong to the command that wants to continue it."""


class InterruptedEncodeError(NvcError):
    """Encoding was asked to stop; everything up to here is saved."""
