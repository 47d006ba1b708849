r"""The `.nvc` file, format version 1: this text is the specification, the modules implement it.

All integers are unsigned and little-endian. There are no gaps, no padding and nothing after the end
chunk. Every byte after the signature lies under a CRC-32 (the one of zlib, PNG and Ethernet:
polynomial 0x04C11DB7, reflected).

    file = signature  HEAD  SEGM SEGM ... SEGM  indx  END
                      chunk chunk               chunk chunk

**Signature**, 8 bytes: `8B 4E 56 43 0D 0A 1A 0A` (0x8B, "NVC", CR LF, ^Z, LF).

**Chunk**, 28 bytes of framing around a payload:

    offset  size  field
    0       4     type, ASCII: a letter, then three letters, digits or spaces
    4       4     flags: 0; a set bit in a critical chunk asks for a newer reader
    8       4     sequence: 0 for HEAD, then one more for every chunk of any type
    12      8     length L of the payload in bytes
    20      4     CRC-32 of bytes 0..19
    24      L     payload
    24+L    4     CRC-32 of bytes 0..19 followed by the payload

The second CRC leaves out the first one: a message followed by its own CRC always has the same CRC,
so the payload would no longer be tied to its header. A reader checks the first CRC and its limits
before it believes L. A type that begins with an upper-case letter is critical: a reader that does
not know it stops and asks for a newer version. One that begins with a lower-case letter is skipped
when unknown; it may stand anywhere between HEAD and indx.

**Order**: HEAD once and first; one SEGM or more; indx once; END directly after it and last.

**Varint**: 7 bits a byte, least significant first, top bit set on all bytes but the last (LEB128);
shortest form, at most 9 bytes.

**HEAD** says what the video is and how to turn sections into frames.

    0       2     format version: 1
    2       2     minimum reader version: the oldest whose readers understand the whole file
    4       4     size J of the text below when inflated
    8       rest  raw deflate stream (RFC 1951) that ends with the payload and inflates to J bytes;
                  its window begins filled with `DICTIONARY` of `header.py`

These four fields keep their place in all versions. The text is one JSON object (RFC 8259) in UTF-8,
no duplicate keys, at most 16 levels deep, integers within +-2^53 and without fraction or exponent,
numbers finite, no lone surrogates. The writer sorts keys and puts no spaces, a reader accepts any
order and spaces. An absent key means its default, and so does null where that is "absent"; an
unknown key is an error.

    key                  value                                            default
    width, height        1 .. 2^32 - 1                                    required
    chroma               "gray", "420", "422", "444", "rgb": the source   "420"
    bit_depth            8 .. 16: bits a sample                           8
    range                "limited", "full"                                "limited"
    primaries, transfer, matrix    0 .. 255, ITU-T H.273                  2 (unspecified)
    sample_aspect_ratio  [numerator, denominator], each 1 .. 2^32 - 1     [1, 1]
    frame_rate           [numerator, denominator], each 1 .. 2^32 - 1     [25, 1]
    num_frames           frames in the file, 0 when unknown at its start  0
    siting               "left", "center", "topleft", "top",
                         "bottomleft", "bottom": where the source says that
                         chroma samples lie; changes no sample            absent
    mastering_display    ten integers: x and y of red, green, blue and
                         white in 1/50000, 0 .. 65535; luminance, most
                         and least, in 1/10000 cd/m2, 0 .. 2^32 - 1;
                         0: not stated (SMPTE ST 2086)                    absent
    content_light        [MaxCLL, MaxFALL] in cd/m2, 0 .. 65535, 0: not
                         stated (CTA-861.3); both change no sample        absent
    samples              "rgb" (chroma is not gray), "yuv" (chroma is 420, 422 or 444),
                         "yuv420" (chroma is 420), "gray" (chroma is gray): the samples that the
                         representation gives, full range in "rgb" and
                         "gray"; "yuv420": at half size, rounded up, four
                         of luma (row by row), U, V                       "rgb"
    representation       object: "kind", a name, and its settings         required
    scheme               object: "kind", a name, and its settings         required
    remark               text for people, at most 1,024 characters        ""

A name is a lower-case letter followed by at most 63 lower-case letters, digits or underscores.

**SEGM** holds one segment, which is decodable alone unless it names earlier ones.

    varint        number: 0, 1, 2, ...
    varint        first frame: 0, then where the segment before ended
    varint        number of frames, 1 or more
    varint        number of references R, at most 4
    R times       varint distance: the segment that many before this one is needed to decode it;
                  1 or more, at most the number, each larger than the one before. At most 64
                  segments are needed for one, directly or not, itself included
    16 bytes      digest of the decoded integers (`ParameterSet.digest`)
    varint        number of sections N, at most 64
    N times       tag (4 ASCII characters as in a chunk type, each tag once), varint length
    rest          the bytes of the sections, in the order of that table

Tags: `MASK` pruning masks, `QSCL` quant scales, `ENTP` entropy parameters, `SYMB` coded symbols,
`GRID` symbols of feature grids, `LAYR` symbols of layers, `MOTN` coded motion, `RAWF` half floats;
which of them are there, and what they mean, is up to the scheme.
A tag that nobody owns is an error.

**clip**, where the file holds several videos one after the other, stands directly after the last
SEGM; a reader that skips it sees one long video.

    varint        number of videos, 1 or more
    so many times varint number of frames, 1 or more; varints numerator and denominator of its frame
                  rate, each 1 .. 2^32 - 1; varint length of its name; the name in UTF-8, printable

The numbers of frames sum to those of the file.

**tstm**, where frames do not come evenly from 0 on, stands behind the last SEGM too; a reader that
skips it shows frame n at n / frame_rate.

    varint        number of videos: 1, or that of clip
    so many times varint number of frames N, as in clip; varint numerator of the time base, 0 where
                  frame n of this video is shown at n / frame_rate, and nothing more follows;
                  varints denominator of the time base, a tick in seconds, both at most 2^31 - 1;
                  ticks that the last frame is shown, 0 where not known, at most 2^53; number D of
                  the bytes that follow
    D bytes       raw deflate stream that inflates to N zigzag varints (0, -1, 1, -2, ... stand for
                  0, 1, 2, 3, ...)

With t the times in ticks, each within +-2^53 and above the one before, and d(0) = t(0),
d(n) = t(n) - t(n - 1), the integers are d(0), d(1) - d(0), d(2) - d(1) and so on. Every video has
a time of its own that begins at 0; where they are shown one after the other, one begins as the last
frame of the one before ends (of unknown length: as long as that video's others are on mean).

**mkvs**, behind the last SEGM too, has what the source has besides its pictures. No rate counts it.

    varint        number of streams, at most 256
    so many times kind ("audio", "subtitle", "data", "attachment"), codec and language (which may
                  be empty): of each a varint length, and printable UTF-8
    varint        number of chapters
    rest          a file with these streams, in this order, and the chapters: Matroska, QuickTime,
                  or ffmpeg's metadata text for chapters alone; its times are those of the video

**indx** repeats where the segments are; it can be rebuilt by walking the file.

    varint        number of segments S
    S times       varint number of frames, varint gap, varint length

`length` is that of the whole SEGM chunk, framing included; `gap` is the distance from the end of
the SEGM chunk before (from the start of the file for the first) to its start.

**END**, written "END " with a space; always 68 bytes with its framing, so it is found from the end
of the file.

    0       4     number of segments
    4       4     number of frames; equals `num_frames` of HEAD unless that is 0
    8       8     offset of the indx chunk in the file
    16      8     offset of the END chunk: all bytes before it
    24      16    BLAKE2b with 16 bytes of output over all bytes before the END chunk

**Unfinished files.** A writer only appends, so a cut file is a valid prefix: signature, HEAD, some
whole SEGM chunks, a torn rest. Without END the file is unfinished and a reader says so, after
giving what is intact.

**Limits** that a reader enforces are in `header.Limits`. A change in the meaning of any byte is a
new version.

In code: `header` (HEAD and the limits), `chunks` (framing), `chunk_payloads` (SEGM, clip, indx,
END), `time_payload` (tstm), `stream_payload` (mkvs), `kinds` (which chunk stands where), `stream`
(bytes to checked chunks), `walk` (the rules that bind chunks), `reader`, `sink` and `writer`,
`chunk_map` (where every byte goes), `tail` (when the frames asked for are shown).
"""
