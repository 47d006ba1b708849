"""What is typed for an encoding, as `EncodeOptions` takes it."""

from collections.abc import Callable, Mapping
from typing import Any

import typer

from nvcodec.cli import goal_options, options

SAME = ("segment_frames", "gop", "seed", "device", "workdir", "restart", "overwrite")
"""Options that are fields as they are."""
GOALS = ("size", "bitrate", "psnr", "vmaf", "of")
PARSED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "color": ("samples", options.samples),
    "frames": ("frames", options.frame_range),
    "scale": ("scale", options.scale),
    "raw": ("raw", options.raw_geometry),
    "fps": ("frame_rate", options.frame_rate),
    "depth": ("depth", options.depth),
    "segments": ("at_cuts", options.at_cuts),
    "workers": ("workers", options.workers),
    "limit": ("limits", options.changed_limits),
    "max_time": ("max_time_s", options.duration_s),
    "no_audio": ("audio", lambda is_left_out: not is_left_out),
    "no_verify": ("verify", lambda is_left_out: not is_left_out),
}
"""Options by name: the field that each becomes, and how."""


def settings(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `EncodeOptions` from the options of a command, of which it has some.

    Raises:
        typer.BadParameter: one makes no sense, alone or beside another.
    """
    if typed["max_time"] is not None and typed["epochs"] is not None:
        raise typer.BadParameter("--max-time and --epochs: only one of them")
    parsed = {field: parse(typed[name]) for name, (field, parse) in PARSED.items() if name in typed}
    parsed["between"] = options.time_range(typed["start"], typed["end"], typed["frames"])
    if typed.get("preview") and parsed.get("workers", 1) != 1:
        raise typer.BadParameter("--preview shows one segment at a time; leave --workers out")
    is_watched = bool(typed.get("preview") or typed.get("report"))
    goal = goal_options.goal(**{name: typed[name] for name in GOALS}) if GOALS[0] in typed else None
    return {
        **parsed,
        "goal": goal,
        **{name: typed[name] for name in SAME if name in typed},
        "show_frames": is_watched,
    }
