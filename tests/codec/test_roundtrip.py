"""From videos of many kinds to `.nvc` files and back, through the Python interface."""

import io
import warnings

import numpy as np
import pytest
import torch

import nvcodec
from codec_helpers import (
    TINY,
    TINY_LATENTS,
    TINY_NERV,
    TINY_NVRC,
    TINY_RAW,
    assert_same_frames,
    decoded_elsewhere,
    decoded_planes,
    moving_frames,
    video_info,
    write_video,
    write_y4m,
)
from nvcodec.container.reader import NvcReader
from nvcodec.decoder import Decoder
from nvcodec.errors import UnsupportedVideoError, VideoError
from nvcodec.presets import load_preset, preset_text
from nvcodec.segment_decoder import SegmentDecoder
from nvcodec.segment_encoder import encode_segment
from nvcodec.segment_values import unpack_segment
from nvcodec.video import VideoWarning, open_video
from nvcodec.video.color import planes_to_rgb

FAST = {"preset": TINY, "epochs": 3}


def roundtrip(source, target, **settings):
    """Encode, decode, and check what every round trip promises."""
    report = nvcodec.encode(source, target, **{**FAST, **settings})
    frames = decoded_planes(target)
    info = nvcodec.info(target)
    assert report.size_bytes + report.streams_bytes == target.stat().st_size == info.size_bytes
    assert report.num_frames == len(frames) == sum(s.num_frames for s in info.segments)
    shapes = [plane.shape for plane in frames[0]]
    head = info.head
    assert shapes == head.to_video_info().chroma.plane_shapes(head.height, head.width)
    return report, frames


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (23, 17), (31, 64)])
@pytest.mark.parametrize("chroma", ["420", "422", "444", "gray"])
def test_sizes_and_chroma(tmp_path, size, chroma):
    source = write_y4m(tmp_path / "a.y4m", *size, chroma, num_frames=2)
    roundtrip(source, tmp_path / "a.nvc")
    roundtrip(source, tmp_path / "b.nvc", samples="yuv")
    if chroma == "420":
        roundtrip(source, tmp_path / "c.nvc", samples="yuv420")


def test_a_preset_prefers_samples_that_the_source_may_lack(tmp_path, call):
    preset = tmp_path / "packed.toml"
    preset.write_text('samples = "yuv420"\n' + preset_text(TINY_RAW))
    for chroma, color in (("420", "yuv420"), ("422", "rgb"), ("444", "rgb"), ("gray", "gray")):
        source = write_y4m(tmp_path / f"{chroma}.y4m", 32, 32, chroma, num_frames=2)
        target = tmp_path / f"{chroma}.nvc"
        nvcodec.encode(source, target, preset=str(preset), epochs=1)
        assert nvcodec.info(target).head.samples == color
    source = tmp_path / "422.y4m"
    refused = call("encode", source, "-o", tmp_path / "x.nvc", "-p", TINY, "--color", "yuv420")
    assert refused.code != 0
    assert "the source is 4:2:2; allowed for it: rgb, yuv" in refused.stderr


@pytest.mark.parametrize("num_frames", [1, 2])
def test_few_frames_of_a_larger_odd_size(tmp_path, num_frames):
    source = write_y4m(tmp_path / "a.y4m", 427, 239, num_frames=num_frames)
    report, _ = roundtrip(source, tmp_path / "a.nvc")
    assert report.quality.ms_ssim_rgb is not None


@pytest.mark.parametrize("size", [(1, 1), (15, 15), (16, 15), (15, 400)])
def test_too_small_is_refused(tmp_path, size, call):
    source = write_y4m(tmp_path / "a.y4m", *size, num_frames=1)
    with pytest.raises(UnsupportedVideoError, match=rf"{size[0]}x{size[1]}; allowed are 16x16"):
        nvcodec.encode(source, tmp_path / "a.nvc", **FAST)
    done = call("encode", source, "-o", tmp_path / "a.nvc", "-p", TINY)
    assert done.code == 3
    assert "allowed are 16x16 and larger" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"a.y4m"}


def test_pictures(tmp_path):
    info = video_info(24, 20, "rgb")
    write_video(tmp_path / "pictures", info, moving_frames(info, 3))
    report, frames = roundtrip(tmp_path / "pictures", tmp_path / "a.nvc", frame_rate=12)
    assert len(frames[0]) == 3
    assert report.quality.psnr_yuv_db is None
    assert nvcodec.info(tmp_path / "a.nvc").head.frame_rate == (12, 1)
    with pytest.raises(UnsupportedVideoError, match="the source is RGB"):
        nvcodec.encode(tmp_path / "pictures", tmp_path / "b.nvc", samples="yuv", **FAST)
    pattern = tmp_path / "pictures" / "%05d.png"
    roundtrip(pattern, tmp_path / "c.nvc", frames=slice(1, 3))


def test_raw_video_by_option(tmp_path, call):
    info = video_info(32, 18, "422")
    frames = moving_frames(info, 3)
    path = tmp_path / "video"
    path.write_bytes(b"".join(plane.tobytes() for planes in frames for plane in planes))
    done = call(
        "encode", path, "-o", tmp_path / "a.nvc", "-p", TINY, "--epochs", 3,
        "--raw", "32x18:29.97:yuv422p", "--json",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert done.records[-1]["num_frames"] == 3
    head = nvcodec.info(tmp_path / "a.nvc").head
    assert (head.width, head.height, head.chroma) == (32, 18, "422")
    assert head.frame_rate == (30000, 1001)
    words = ("--raw", "32x18:29.97:yuv422p", "--against", path)
    assert call("verify", tmp_path / "a.nvc", *words).code == 0


def test_frame_rate_by_option(clip, tmp_path, call):
    for given, stored in (("50", (50, 1)), ("23.976", (24000, 1001)), ("15/2", (15, 2))):
        words = ("-p", TINY_RAW, "--epochs", 1, "--fps", given, "-y", "-q")
        assert call("encode", clip, "-o", tmp_path / "a.nvc", *words).code == 0
        assert nvcodec.info(tmp_path / "a.nvc").head.frame_rate == stored


@pytest.mark.parametrize("samples", ["rgb", "yuv", "yuv420"])
def test_pixels_are_what_people_look_at(clip, tmp_path, samples):
    """RGB whatever was fitted; a frame by index is the frame in its turn."""
    path = tmp_path / "a.nvc"
    nvcodec.encode(clip, path, preset=TINY, samples=samples, segment_frames=5)
    pixels = list(nvcodec.decode(path))
    assert {p.shape for p in pixels} == {(32, 32, 3)}
    assert {p.dtype for p in pixels} == {np.dtype(np.uint8)}
    with nvcodec.open(path) as video:
        assert len(video) == 8
        for t in (7, 0, 4, 3, -1):
            np.testing.assert_array_equal(video[t], pixels[t])
        np.testing.assert_array_equal(np.stack(list(video)), np.stack(pixels))
        with pytest.raises(IndexError, match="frame 8"):
            video[8]
        with pytest.raises(IndexError):
            video[-9]
        info = video.info
    planes = decoded_planes(path)
    error = planes_to_rgb(planes[3], info).astype(int) - pixels[3]
    assert np.mean(error**2) < 200  # the chroma that 4:2:0 cannot hold


def test_grey_has_one_channel(tmp_path):
    source = write_y4m(tmp_path / "a.y4m", 16, 16, "gray", 2)
    nvcodec.encode(source, tmp_path / "a.nvc", **FAST)
    assert [p.shape for p in nvcodec.decode(tmp_path / "a.nvc")] == [(16, 16, 1)] * 2


def test_streams_in_and_out(clip, encoded):
    stream = io.BytesIO()
    report = nvcodec.encode(io.BytesIO(clip.read_bytes()), stream, preset=TINY, segment_frames=3)
    assert report.size_bytes == len(stream.getvalue())
    stream.seek(0)
    assert len(list(nvcodec.decode(stream))) == 8


def test_arguments_of_the_interface(clip, tmp_path):
    path, preset = tmp_path / "a.nvc", load_preset(TINY_RAW)
    with pytest.raises(TypeError, match="segment_frame"):
        nvcodec.encode(clip, path, segment_frame=3)
    with pytest.raises(TypeError, match="loaded one"):
        nvcodec.encode(clip, path, preset, epochs=3)
    events = []
    report = nvcodec.encode(clip, path, preset, on_event=events.append, frames=slice(2, 5))
    assert report.num_frames == 3
    assert type(events[0]).__name__ == "SegmentStarted"


@pytest.mark.parametrize("wanted", [(0, 1), (1, 3), (3, 4), (2, 5), (7, 8), (6, None), (0, 100)])
def test_ranges_are_the_same_frames_of_the_segments_needed(encoded, monkeypatch, wanted):
    read = []
    read_segment = NvcReader.read_segment
    monkeypatch.setattr(
        NvcReader, "read_segment", lambda self, n: read.append(n) or read_segment(self, n)
    )
    monkeypatch.setattr(NvcReader, "segments", None)  # would read all of them
    chosen = slice(*wanted)
    frames = decoded_planes(encoded, frames=chosen)
    monkeypatch.undo()
    assert_same_frames(frames, decoded_planes(encoded)[chosen])
    stop = min(wanted[1] or 8, 8)
    segments = [(0, 2), (2, 5), (5, 8)]
    assert read == [n for n, (a, b) in enumerate(segments) if a < stop and b > wanted[0]]


def test_ranges_of_a_pipe_and_behind_the_end(encoded):
    with encoded.open("rb") as stream:
        frames = decoded_planes(stream, frames=slice(4, 6))
    assert_same_frames(frames, decoded_planes(encoded)[4:6])
    with pytest.raises(VideoError, match="no frames in 8:"):
        decoded_planes(encoded, frames=slice(8, None))


@pytest.mark.parametrize(
    "preset", [TINY, TINY_NERV, TINY_NVRC, pytest.param(TINY_LATENTS, marks=pytest.mark.slow)]
)
def test_decoding_in_other_arithmetic_gives_the_same_video(clip, encoded, tmp_path, preset):
    """A fresh process, one thread, float32, without oneDNN: same integers, pixels within a step."""
    if preset != TINY:
        encoded = tmp_path / "a.nvc"
        nvcodec.encode(clip, encoded, preset=preset, segment_frames=3)
    digests, pixels = decoded_elsewhere(encoded, 1, has_onednn=False)
    with NvcReader(encoded) as reader:
        head, segments = reader.head, list(reader.segments())
    assert digests == [segment.digest.hex() for segment in segments]
    ours = np.stack(list(nvcodec.decode(encoded, device="cpu"))).astype(int)
    difference = np.abs(ours - pixels)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3
    assert unpack_segment(head, segments[0]).digest() == segments[0].digest


def test_bf16_is_close(encoded):
    exact = np.stack(list(nvcodec.decode(encoded, precision="fp32"))).astype(int)
    coarse = np.stack(list(nvcodec.decode(encoded, precision="bf16"))).astype(int)
    assert np.mean(np.abs(exact - coarse)) < 3


def segment_and_preset():
    """Three frames, and what encodes them."""
    info = video_info()
    pixels = np.stack([planes_to_rgb(f, info) for f in moving_frames(info, 3)])
    preset = load_preset(TINY)
    config = preset.representation.resolve(32, 32)
    preset = preset.model_copy(update={"representation": config})
    return pixels, preset


def test_a_segment_is_a_function_of_frames_preset_and_seed():
    pixels, preset = segment_and_preset()
    state = torch.random.get_rng_state()
    one, two = (encode_segment(pixels, preset, seed=4) for _ in range(2))
    assert one.sections == two.sections
    assert encode_segment(pixels, preset, seed=5).sections != one.sections
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's numbers change


def test_a_segment_may_begin_with_the_values_of_another():
    pixels, preset = segment_and_preset()
    losses = {}
    first = encode_segment(pixels, preset, seed=4)
    for name, values in (("cold", None), ("warm", first.values)):
        records = []
        encode_segment(pixels, preset, 5, initial_values=values, on_record=records.append)
        losses[name] = records[0].loss
    assert losses["warm"] < losses["cold"]


def test_a_device_that_is_not_there(clip, tmp_path, call):
    device = ("--device", "cuda:99")
    assert call("encode", clip, "-o", tmp_path / "a.nvc", *device).code == 3
    assert call("encode", clip, "-o", tmp_path / "a.nvc", "--device", "abacus").code == 3


def test_frames_of_a_segment_decode_in_any_order(encoded):
    with NvcReader(encoded) as reader:
        segment = reader.read_segment(1)
        decoder = SegmentDecoder(reader.head, segment, torch.device("cpu"))
    backwards = [decoder.pixels(t) for t in (2, 1, 0)]
    with Decoder(encoded) as video:
        for t, pixels in zip((4, 3, 2), backwards, strict=True):
            np.testing.assert_array_equal(video[t], pixels)


FORMATS = {
    "bt709_full_range_720p.mp4": "420",
    "cockatoo_yuv444p.mp4": "444",
    "h264_10bit_200.mp4": "420",
    "lights-hlg.mov": "420",
    "livephoto_hevc_rot90.mov": "420",
    "mjpeg422_vga.avi": "422",
    "nasa_multistream.mp4": "420",
    "park_joy_480x270_10f.y4m": "420",
    "racehorses_832x480_2f.yuv": "420",
    "rot90_phone_720p.mp4": "420",
    "sparks_480x270_420p10le.yuv": "420",
    "vfr_rot180_fire.mp4": "420",
}


@pytest.mark.parametrize("name", FORMATS)
def test_videos_as_they_come(clips, tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        with open_video(clips / "formats" / name, frames=slice(0, 2)) as video:
            upright = video.info.height > video.info.width
        size = (48, 64) if upright else (64, 48)
        report, frames = roundtrip(
            clips / "formats" / name, tmp_path / "a.nvc", frames=slice(0, 2), scale=size
        )
    assert len(frames) == report.num_frames == 2
    head = nvcodec.info(tmp_path / "a.nvc").head
    assert head.chroma == FORMATS[name]
    assert (head.width, head.height) == size
    with Decoder(tmp_path / "a.nvc") as video:
        assert video[0].shape == (*size[::-1], 3)
