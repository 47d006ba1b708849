"""Stored points by formula, for tests of what is made from them."""

import math
from typing import Any


def record(
    sequence: str = "clip",
    codec: str = "x265",
    point: str = "crf 27",
    rate: float = 0.1,
    **more: Any,
) -> dict[str, Any]:
    """A finished point whose quality follows from its rate; `gain` multiplies the rate it needs."""
    gain = more.pop("gain", 1.0)
    psnr = 40 + 6 * math.log2(rate / gain)
    return {
        "key": f"{sequence}-{codec}-{point}",
        "status": "done",
        "sequence": sequence,
        "codec": codec,
        "kind": "baseline" if codec.startswith("x26") else "nvc",
        "point": point,
        "command": f"{codec} {point}",
        "num_frames": 8,
        "size_bytes": round(1000 * rate),
        "rate_bpp": rate,
        "bitrate_kbps": 100 * rate,
        "quality": {
            "psnr_rgb_db": psnr,
            "psnr_rgb_ffmpeg_db": psnr,
            "psnr_yuv_db": psnr + 1,
            "psnr_planes_db": [psnr + 1, psnr + 2, psnr + 3],
            "ms_ssim_rgb": 0.97,
            "ms_ssim_y": None,
            "vmaf": 80 + 3 * math.log2(rate / gain),
            "vmaf_neg": None,
        },
        "encode_s": 2.0,
        "guess_s": 1.0,
        "encode_peak_bytes": 50_000_000,
        "decode_s": 0.5,
        "decode_frames_per_s": 16.0,
        "decode_peak_bytes": None,
        "versions": {"nvcodec": "0"},
        "machine": "two cores",
        "rgb_matrix": "BT.601",
        "input_digest": f"{sequence}-input",
        **more,
    }


def curve(sequence: str, codec: str, gain: float = 1.0) -> list[dict[str, Any]]:
    """Four points of a codec that needs `gain` times the rate of one with a gain of 1."""
    rates = (0.05, 0.1, 0.2, 0.4)
    return [record(sequence, codec, f"q {n}", gain * r, gain=gain) for n, r in enumerate(rates)]
