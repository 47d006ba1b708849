"""Frames into the window of a player: Y4M through a pipe into ffplay, mpv, or what NVC_PLAYER says.

The player is a child of ours: it ends with us, and when its window is closed, so does the showing.
"""

import os
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from nvcodec.errors import FfmpegError, ToolMissingError
from nvcodec.processes import Child
from nvcodec.video.info import Planes, VideoInfo
from nvcodec.video.writer import create_video

PLAYERS = {
    "ffplay": ["-loglevel", "error", "-autoexit", "-window_title", "{title}"],
    "mpv": ["--really-quiet", "--title={title}"],
}
"""Options of the players that are known; each then takes `-` for standard input."""


def player_command(title: str) -> list[str]:
    """The player and its arguments: `NVC_PLAYER`, a command line, else ffplay or mpv of PATH.

    Raises:
        ToolMissingError: There is none.
    """
    try:
        chosen = shlex.split(os.environ.get("NVC_PLAYER", ""))
    except ValueError as error:
        raise ToolMissingError(f"player: NVC_PLAYER is no command line: {error}") from error
    for name in chosen[:1] or PLAYERS:
        program = shutil.which(name)
        if program is not None:
            options = [word.format(title=title) for word in PLAYERS.get(Path(name).stem, [])]
            return [program, *options, *chosen[1:], "-"]
    if chosen:
        raise ToolMissingError(f"player: NVC_PLAYER is {chosen[0]!r}, which is not a program")
    raise ToolMissingError(
        "player: no ffplay and no mpv on PATH; install ffmpeg or mpv, or set NVC_PLAYER to one "
        f"that reads Y4M, or pipe it: nvc decode {shlex.quote(title)} -o - | vlc -"
    )


class _Pipe:
    """The player's standard input as a stream to be written."""

    name = "player"

    def __init__(self, child: Child) -> None:
        self._child = child

    def write(self, data: bytes | memoryview) -> None:
        self._child.write(data)

    def flush(self) -> None:
        """Nothing: closing does it."""


def play(frames: Iterable[Planes], info: VideoInfo, command: list[str]) -> int:
    """Show frames until they end or the window is closed; gives how many went to the player.

    Raises:
        FfmpegError: The player failed.
    """
    count = 0
    with Child(command, stdin=True) as child:
        try:
            with create_video(cast(BinaryIO, _Pipe(child)), info) as target:
                for planes in frames:
                    target.write(planes)
                    count += 1
            child.finish()
        except FfmpegError:
            if child.exit_code != 0:
                raise
    return count
