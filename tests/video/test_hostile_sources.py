"""Sources that name other files or hosts: nothing is fetched, nothing else is read."""

import io
import socket
import threading
import warnings

import pytest
from video_helpers import make_info, smooth_frames

from nvcodec.errors import NvcError
from nvcodec.video import create_video, open_video


class Listener:
    """Counts connections to a port of the loopback interface."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            connection.close()


def inputs(port: int, secret: str) -> dict[str, bytes]:
    """Content by name: what makes a demuxer open something else."""
    http, file = f"http://127.0.0.1:{port}", f"file://{secret}"
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
    end = "#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    places = {
        "http": f"{http}/a.ts", "tcp": f"tcp://127.0.0.1:{port}", "udp": f"udp://127.0.0.1:{port}",
        "rtmp": f"rtmp://127.0.0.1:{port}/a", "rtsp": f"rtsp://127.0.0.1:{port}/a",
        "file": file, "path": secret, "ftp": f"ftp://127.0.0.1:{port}/a",
        "tls": f"https://127.0.0.1:{port}/a", "sub": f"subfile,,start,0,end,99,,:{secret}",
        "cat": f"concat:{secret}|{secret}", "crypto": f"crypto+{http}/a", "hls": f"hls+{http}/a",
        "gopher": f"gopher://127.0.0.1:{port}/a", "mms": f"mmst://127.0.0.1:{port}/a",
        "proxy": f"httpproxy://127.0.0.1:{port}/a", "cache": f"cache:{http}/a",
    }  # fmt: skip
    found = {}
    for name, place in places.items():
        found[f"{name}.m3u8"] = (head + end.format(place)).encode()
        found[f"{name}.ffconcat"] = f"ffconcat version 1.0\nfile '{place}'\n".encode()
        found[f"{name}.mpd"] = (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT1S"><Period><AdaptationSet><Representation id="1" '
            f'bandwidth="1"><BaseURL>{place}</BaseURL></Representation></AdaptationSet></Period></MPD>'
        ).encode()
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{http}/k"\n'
    found |= {
        "key.m3u8": (head + key + end.format("a.ts")).encode(),
        "map.m3u8": (head + f'#EXT-X-MAP:URI="{http}/m"\n' + end.format("a.ts")).encode(),
        "master.m3u8": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{http}/b.m3u8\n".encode(),
        "a.sdp": (
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} "
            "RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        ).encode(),
        "a.imf": f"<CompositionPlaylist><a>{http}</a></CompositionPlaylist>".encode(),
        "a.svg": f'<svg xmlns:xlink="x"><image xlink:href="{http}/a.png"/></svg>'.encode(),
        "a.ram": f"{http}/a.rm\n".encode(),
        "a.asx": f'<asx version="3.0"><entry><ref href="{http}/a"/></entry></asx>'.encode(),
        "a.pls": f"[playlist]\nFile1={http}/a\n".encode(),
        "a.txt": f"movie={secret}[out]\n".encode(),
    }
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    info = make_info(32, 32)
    secret = folder / "secret" / "a.ts.mkv"
    secret.parent.mkdir()
    with create_video(secret, info, codec="ffv1") as video:
        for planes in smooth_frames(info, 2):
            video.write(planes)
    listener = Listener()
    files = inputs(listener.port, str(secret))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "video.mp4").write_bytes(files["file.m3u8"])
    (folder / "http.mkv").write_bytes(files["http.m3u8"])
    yield folder, listener, [*files, "video.mp4", "http.mkv"]
    listener.socket.close()


def refused(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NvcError) as caught, open_video(source) as video:
            list(video)
    return str(caught.value)


def check(hostile, choose):
    folder, listener, names = hostile
    assert len(names) >= 60
    for name in choose(names):
        content = (folder / name).read_bytes()
        for source in (folder / name, io.BytesIO(content)):
            text = refused(source)
            assert "Traceback" not in text
    assert listener.count == 0


def test_the_worst_reach_nothing(hostile):
    worst = (
        "http.m3u8",
        "key.m3u8",
        "file.m3u8",
        "path.ffconcat",
        "a.sdp",
        "video.mp4",
        "http.mpd",
    )
    check(hostile, lambda names: worst)


@pytest.mark.slow
def test_nothing_is_reached(hostile):
    check(hostile, lambda names: names)


def test_a_list_is_refused_by_name(hostile):
    for name in ("http.m3u8", "path.ffconcat"):
        assert "a list of other files" in refused(hostile[0] / name)


def test_names_that_are_no_options_and_no_text(tmp_path, monkeypatch):
    """A leading dash, a colon, a percent sign, bytes that are no UTF-8."""
    monkeypatch.chdir(tmp_path)
    info = make_info(32, 32)
    for name in (
        "-i.mkv",
        "http:a.mkv",
        "a%d.mkv",
        b"b\xff.mkv".decode("utf-8", "surrogateescape"),
    ):
        with create_video("plain.mkv", info, codec="ffv1", overwrite=True) as video:
            for planes in smooth_frames(info, 2):
                video.write(planes)
        (tmp_path / "plain.mkv").rename(tmp_path / name)
        with open_video(name) as video:
            assert len(list(video)) == 2
