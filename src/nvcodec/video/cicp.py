"""ffmpeg's names for the colour codes of ITU-T H.273 (CICP)."""

from nvcodec.video.info import UNSPECIFIED

PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "jedec-p22",
}
TRANSFER = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
MATRIX = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
OTHER_NAMES = {"gamma22": 4, "gamma28": 5, "ebu3213": 22, "log": 9, "log_sqrt": 10, "bt1361": 12}
"""Names that some versions of ffmpeg print instead."""


def code_of(names: dict[int, str], name: str) -> int:
    """Code of a name that ffmpeg printed; unspecified when it is unknown."""
    for code, known in names.items():
        if known == name:
            return code
    return OTHER_NAMES.get(name, UNSPECIFIED)
