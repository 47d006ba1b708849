"""tstm and mkvs: their payloads by hand, and what is refused."""

import zlib
from fractions import Fraction

import pytest

from nvcodec.container.header import DEFAULT_LIMITS, Limits
from nvcodec.container.stream_payload import pack_streams, parse_streams
from nvcodec.container.time_payload import check_times, pack_times, parse_times
from nvcodec.errors import LimitError, MalformedError
from nvcodec.streams import Stream, Streams
from nvcodec.times import FrameTimes, joined, mean_rate

TIMES = FrameTimes.of(Fraction(1, 600), [5, 20, 40, 61], 20)
CHANGES = bytes([10, 20, 10, 2])  # 5, 15 - 5 and so on, zigzag


def deflated(text: bytes) -> bytes:
    deflate = zlib.compressobj(9, wbits=-15)
    return deflate.compress(text) + deflate.flush()


def payload(text=CHANGES, *, count=4, base=b"\1\xd8\4", last=b"\x14", packed=None) -> bytes:
    packed = deflated(text) if packed is None else packed
    return b"\1" + bytes([count]) + base + last + bytes([len(packed)]) + packed


def test_times_by_hand():
    assert pack_times([(4, TIMES)]) == payload()
    videos = [(3, None), (4, TIMES)]
    assert pack_times(videos) == b"\2\3\0" + payload()[1:]
    assert parse_times(pack_times(videos), DEFAULT_LIMITS) == videos
    check_times(videos, 7)
    with pytest.raises(MalformedError, match="tstm: times of 7 frames, 8 in the segments"):
        check_times(videos, 8)


@pytest.mark.parametrize(
    "ticks", [[0], [-3, 0, 2**53], [7 * n + n % 3 for n in range(999)], [2**53]]
)
def test_any_rising_times(ticks):
    videos = [(len(ticks), FrameTimes.of(Fraction(1001, 30000), ticks))]
    assert parse_times(pack_times(videos), DEFAULT_LIMITS) == videos


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "number of videos"),
        (payload(base=b"\1\0"), "time base 1/0"),
        (payload(base=b"\x80\x80\x80\x80\x08\1"), "time base 2147483648/1"),
        (payload(packed=b"\xff\xff"), "inflate"),
        (payload(packed=deflated(CHANGES)[:-1]), "whole deflate"),
        (payload(packed=deflated(CHANGES) + b"a"), "whole deflate"),
        (payload(CHANGES[:-1]), "3 whole times, 4 frames"),
        (payload(CHANGES + b"\2"), "5 whole times, 4 frames"),
        (payload(CHANGES[:-1] + b"\x80"), "3 whole times"),
        (payload(CHANGES[:-1] + b"\x80\0"), "shortest form"),
        (payload(b"\x80" * 10 + CHANGES), "more than 9 bytes"),
        (payload(bytes([10, 20, 10, 41])), "do not rise"),
        (payload(b"\xff" * 8 + b"\x7f" + b"\2\2\2"), "too big"),
        (payload(b"", count=0), "0 whole times"),
        (payload() + b"a", "1 bytes left over"),
    ],
)
def test_times_that_are_none(data, message):
    with pytest.raises(MalformedError, match=message):
        parse_times(data, DEFAULT_LIMITS)


@pytest.mark.parametrize("limits", [Limits(frames=3), Limits(segments=0)])
def test_times_beyond_the_limits(limits):
    with pytest.raises(LimitError, match="tstm"):
        parse_times(payload(), limits)


def test_videos_one_after_the_other():
    whole = joined([(2, None), (4, TIMES)], [Fraction(25), Fraction(30)])
    second = [Fraction(2, 25) + time for time in TIMES.seconds()]
    assert whole.seconds() == [0, Fraction(1, 25), *second]
    assert whole.end == Fraction(2, 25) + Fraction(81, 600)
    assert whole.part(2, 6) == whole.part(2, 9)
    assert whole.part(2, 4).seconds() == [0, Fraction(15, 600)]
    apart = joined([(1, None), (4, TIMES)], [Fraction(2**31 - 1), Fraction(30)])
    assert apart.base == Fraction(1, 10**9)


STREAMS = Streams(
    (Stream("audio", "aac", "eng"), Stream("subtitle", "subrip")), 2, b"\x1aE\xdf\xa3"
)


def test_streams_by_hand():
    data = b"\2\5audio\3aac\3eng\x08subtitle\6subrip\0" + b"\2" + STREAMS.data
    assert pack_streams(STREAMS) == data
    assert parse_streams(data, DEFAULT_LIMITS) == STREAMS
    assert (STREAMS.suffix, STREAMS.words) == (
        ".mkv",
        "1 audio stream, 1 subtitle stream, 2 chapters",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x81\2", "257 streams"),
        (b"\1\5audi", "5 bytes declared"),
        (b"\1\1\n\0\0\0", "printable"),
        (b"\0", "number of chapters"),
    ],
)
def test_streams_that_are_none(data, message):
    with pytest.raises(MalformedError, match=message):
        parse_streams(data, DEFAULT_LIMITS)


HUGE, ODD = (Fraction(2**31 - 1),) * 2, (Fraction(1, 2**31 - 1), Fraction(1, 2**31 - 3))


@pytest.mark.parametrize("bases", [HUGE, ODD])
def test_videos_whose_times_do_not_fit_in_a_row(bases):
    ticks = [2**52, 2**52 + 1] if bases[0] > 1 else [0, 1]
    videos = [(2, FrameTimes.of(base, ticks)) for base in bases]
    with pytest.raises(ValueError, match="times"):
        joined(videos, [Fraction(25)] * 2)
    assert mean_rate(videos, [Fraction(25)] * 2) is None
