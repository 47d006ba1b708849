"""`nvc compare` between files of any kind."""

import csv
import io

import pytest

from codec_helpers import decoded_planes, nvc, video_info, write_video, write_y4m
from nvcodec.container.reader import inspect
from nvcodec.metrics.vmaf import has_vmaf
from page_helpers import assert_whole, data_of


@pytest.fixture(scope="module")
def pictures(encoded, tmp_path_factory):
    """What `encoded` decodes to, as pictures."""
    folder = tmp_path_factory.mktemp("decoded") / "pictures"
    return write_video(folder, video_info(), decoded_planes(encoded))


def test_the_numbers_are_those_of_verify(call, clip, encoded, tmp_path):
    done = nvc("compare", clip, encoded, "--json", "--csv", tmp_path / "t.csv")
    assert (done.code, done.stderr) == (0, "")
    *frames, whole = done.records
    verified = call("verify", encoded, "--against", clip, "--json").records[-1]
    for name in ("frames", "psnr_rgb_db", "psnr_planes_db", "psnr_yuv_db", "ms_ssim_rgb"):
        assert whole[name] == verified[name]
    assert (whole["compared_as"], whole["longer"]) == ("420", None)
    assert [frame["frame"] for frame in frames] == list(range(8))
    assert whole["worst"][0] == min(frames, key=lambda frame: frame["psnr_rgb_db"])["frame"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert list(rows[0]) == [
        "frame", "psnr_rgb_db", "psnr_y_db", "psnr_u_db", "psnr_v_db", "ms_ssim_rgb",
    ]  # fmt: skip
    for row, frame in zip(rows, frames, strict=True):
        assert float(row["psnr_rgb_db"]) == pytest.approx(frame["psnr_rgb_db"], abs=1e-5)
        assert float(row["psnr_v_db"]) == pytest.approx(frame["psnr_planes_db"][2], abs=1e-5)


def test_people_are_told_the_worst_frames(call, clip, encoded):
    done = call("compare", clip, encoded)
    lines = done.stdout.decode().splitlines()
    assert lines[0] == f"{clip} and {encoded}: 8 frames of 32x32, compared in 4:2:0, 8 bits"
    assert lines[1].startswith(" PSNR-RGB  ")
    assert lines[-1].startswith("    worst  frame ")


def test_pictures_and_files_of_ours_in_any_order(call, clip, encoded, pictures, tmp_path):
    for sides in ((pictures, encoded), (encoded, pictures)):
        done = call("compare", *sides, "--json")
        assert (done.code, done.stderr) == (0, "")
        assert done.records[-1]["psnr_rgb_db"] == 100
        assert done.records[-1]["compared_as"] == "rgb"
    assert call("compare", encoded, encoded, "--json").records[-1]["psnr_rgb_db"] == 100
    done = call("compare", clip, pictures, "--frames", "2:4", "--csv", "-")
    assert (
        done.stdout.decode().splitlines()[0] == "frame,psnr_rgb_db,psnr_r_db,psnr_g_db,"
        "psnr_b_db,ms_ssim_rgb"
    )
    assert [line.split(",")[0] for line in done.stdout.decode().splitlines()[1:]] == ["2", "3"]
    assert "worst" in done.stderr


def test_other_sizes_and_lengths(call, encoded, tmp_path):
    large = write_y4m(tmp_path / "large.y4m", 48, 40, num_frames=5)
    done = call("compare", large, encoded)
    assert (done.code, done.stdout) == (3, b"")
    assert done.stderr == (
        f"nvc: {encoded}: 32x32 4:2:0, {large} has 48x40 4:2:0; "
        "--scale 48x40 scales one to the other\n"
    )
    for number, size in enumerate(("48x40", "32x32")):
        done = call("compare", large, encoded, "--scale", size, "--json")
        assert done.code == 0
        assert done.records[-1]["frames"] == 5
        if number == 0:  # Python says the same thing once
            said = f"{encoded}: has more frames than the 5 of {large}; 5 are compared"
            assert done.records[0] == {"event": "warning", "text": said}


def test_grey_and_colours_are_no_pair(call, encoded, tmp_path):
    grey = write_y4m(tmp_path / "grey.y4m", chroma="gray")
    done = call("compare", grey, encoded)
    assert (done.code, "--scale" in done.stderr) == (3, False)
    assert f"{encoded}: 32x32 4:2:0, {grey} has 32x32 grey" in done.stderr


def test_a_table_is_not_replaced_unasked(call, clip, encoded, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("mine")
    assert call("compare", clip, encoded, "--csv", table).code == 4
    assert table.read_text() == "mine"
    assert call("compare", clip, encoded, "--csv", table, "-y", "-q").code == 0
    assert table.read_text().startswith("frame,")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    done = call("compare", clip, encoded, "--csv", clip, "-y")
    assert (done.code, "is the source itself" in done.stderr) == (4, True)


def test_vmaf_where_it_can_be_measured(call, clip, tmp_path):
    if has_vmaf():
        assert "\n     VMAF  vmaf " in call("compare", clip, clip, "--vmaf").stdout.decode()
    grey = write_y4m(tmp_path / "grey.y4m", 16, 16, chroma="gray", num_frames=1)
    done = call("compare", grey, grey, "--vmaf")
    assert done.code == 0
    assert "nvc: VMAF: cannot be measured" in done.stderr


def test_damage_is_that_of_one_file(call, encoded, tmp_path):
    data = bytearray(encoded.read_bytes())
    data[inspect(encoded).segments[2].offset + 60] ^= 1
    (tmp_path / "bad.nvc").write_bytes(data)
    for sides in ((encoded, tmp_path / "bad.nvc"), (tmp_path / "bad.nvc", encoded)):
        done = call("compare", *sides)
        assert (done.code, done.stdout) == (5, b"")
        assert done.stderr.startswith(f"nvc: {tmp_path / 'bad.nvc'}: byte ")


def test_a_page_shows_both(call, clip, encoded, tmp_path):
    page = tmp_path / "p.html"
    done = call("compare", clip, encoded, "--frames", "2:6", "--report", page, "--json")
    assert done.code == 0
    text = page.read_text(encoding="utf-8")
    assert_whole(text)
    data = data_of(text)
    by_frame = [record["psnr_rgb_db"] for record in done.records if record["event"] == "frame"]
    assert data["metrics"]["PSNR-RGB (dB)"] == pytest.approx(by_frame, abs=1e-5)
    assert (data["firstFrame"], len(by_frame)) == (2, 4)
    worst = next(pair for pair in data["pairs"] if "worst" in pair["label"])
    assert worst["frame"] == done.records[-1]["worst"][0]
    assert worst["leftLabel"] == clip.name
    assert call("compare", clip, encoded, "--report", page).code == 4
