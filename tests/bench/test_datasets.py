"""Which clips a path stands for, and what is refused."""

import numpy as np
import pytest

from codec_helpers import moving_frames, video_info, write_video, write_y4m
from nvcodec.bench.datasets import (
    SequenceOptions,
    VideoSequence,
    check_known,
    datasets_folder,
    find_sequences,
    load_dataset,
    survey,
)
from nvcodec.errors import PresetError, VideoError
from nvcodec.video import VideoWarning

ALL = SequenceOptions()


@pytest.fixture
def uvg(tmp_path):
    """A folder as UVG's: raw files with their geometry in the name."""
    info = video_info(32, 16)
    for name, count in (("Beauty", 4), ("ShakeNDry", 3), ("ReadySteadyGo", 4)):
        path = tmp_path / f"{name}_32x16_120fps_420_8bit_YUV.yuv"
        write_video(path, info, moving_frames(info, count))
    (tmp_path / "readme.txt").write_text("not a video")
    return tmp_path


def names(paths, settings=ALL, dataset=None):
    return [clip.name for clip in find_sequences([str(path) for path in paths], settings, dataset)]


def test_a_folder_of_raw_files(uvg):
    clips = list(find_sequences([str(uvg)], ALL))
    assert [clip.path.name.partition("_")[0] for clip in clips] == [
        "Beauty",
        "ReadySteadyGo",
        "ShakeNDry",
    ]
    seen = survey(clips[0])
    assert (seen.num_frames, seen.info.width, seen.info.height) == (4, 32, 16)
    assert seen.info.frame_rate == 120
    assert seen.megapixels == pytest.approx(4 * 32 * 16 / 1e6)


def test_a_data_set_names_its_sequences_and_knows_their_pitfalls(uvg, tmp_path):
    text = """
        title = "Small UVG"
        [[sequences]]
        name = "ReadySetGo"
        pattern = "Ready*Go_32x16*"
        num_frames = 600
        note = "its file has another name"
        [[sequences]]
        name = "Jockey"
        pattern = "Jockey*"
    """
    (tmp_path / "small.toml").write_text(text)
    dataset = load_dataset(str(tmp_path / "small.toml"))
    with pytest.warns(VideoWarning, match=r"Jockey: not found; no file is called Jockey\*"):
        (clip,) = find_sequences([str(uvg)], ALL, dataset)
    assert clip.name == "ReadySetGo"
    with pytest.warns(VideoWarning) as said:
        check_known(clip, survey(clip), dataset)
    assert [str(w.message) for w in said] == [
        "ReadySetGo: 4 frames, Small UVG has 600",
        "ReadySetGo: its file has another name",
    ]


def test_the_data_sets_that_come_along():
    uvg, mcl, small = (load_dataset(name) for name in ("uvg", "mcl-jcv", "small"))
    assert {s.name: s.num_frames for s in uvg.sequences}["ShakeNDry"] == 300
    assert len(mcl.sequences) == 30
    assert (datasets_folder().parent / "clips" / small.sequences[0].pattern).is_file()
    with pytest.raises(PresetError, match="allowed are mcl-jcv, motion, small, uvg, or a file"):
        load_dataset("uvgg")


def test_a_data_set_with_a_mistake(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('title = "x"\n[[sequences]]\nname = "a"\npatern = "a*"')
    with pytest.raises(PresetError, match=r"bad.toml: sequences\.0\.pat"):
        load_dataset(str(path))


def test_pictures_are_one_clip_and_folders_of_them_are_several(tmp_path):
    info = video_info(16, 16, "rgb")
    for name in ("one", "two"):
        write_video(tmp_path / name, info, moving_frames(info, 3))
    assert names([tmp_path / "one"]) == ["one"]
    assert names([tmp_path]) == ["one", "two"]
    assert survey(VideoSequence("one", tmp_path / "one", ALL)).num_frames == 3


def test_wrong_geometry_is_refused_with_the_arithmetic(tmp_path):
    path = tmp_path / "clip_32x16_25fps.yuv"
    path.write_bytes(bytes(2000))
    said = (
        r"2,000 bytes / 768 bytes a frame = 2\.604 frames; 32x16 420 is 768 samples of 1 bytes; "
        r"is the geometry"
    )
    with pytest.raises(VideoError, match=said):
        names([path])
    path.rename(tmp_path / "clip_32x16_10bit.yuv")
    with pytest.raises(VideoError, match=r"1,536 bytes a frame = 1\.302 frames"):
        names([tmp_path])


def test_what_is_not_there(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        names([tmp_path / "nowhere.y4m"])
    with pytest.raises(VideoError, match="no video there"):
        names([tmp_path])


def test_two_clips_of_one_name(tmp_path):
    (tmp_path / "a").mkdir()
    paths = [write_y4m(tmp_path / "clip.y4m"), write_y4m(tmp_path / "a" / "clip.y4m")]
    with pytest.raises(VideoError, match=r"the clip clip is .*already"):
        names(paths)


def test_settings_choose_frames_and_size(tmp_path):
    path = write_y4m(tmp_path / "clip.y4m", num_frames=8)
    settings = SequenceOptions(slice(2, 5), (16, 16))
    assert settings.words() == ["--frames", "2:5", "--scale", "16x16"]
    seen = survey(VideoSequence("clip", path, settings))
    assert (seen.num_frames, seen.info.width) == (3, 16)


def test_the_digest_is_of_the_samples_not_of_the_file(tmp_path):
    info = video_info(32, 16)
    frames = moving_frames(info, 3)
    paths = [tmp_path / "a.y4m", tmp_path / "a_32x16_25fps.yuv"]
    digests = {survey(VideoSequence("a", write_video(p, info, frames), ALL)).digest for p in paths}
    assert len(digests) == 1
    frames[1][0][0, 0] ^= np.uint8(1)
    other = write_video(tmp_path / "b.y4m", info, frames)
    assert survey(VideoSequence("b", other, ALL)).digest not in digests
