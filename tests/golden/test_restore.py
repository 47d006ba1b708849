"""Integers of frozen files, as a fitting begins with them, are the same when they are rounded."""

import numpy as np
import pytest

from codec_helpers import TESTS
from nvcodec.container.reader import NvcReader
from nvcodec.segment_values import scheme_of, unpack_segment

FILES = sorted((TESTS / "golden").glob("*.nvc"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_restored_integers_are_the_same(path):
    with NvcReader(path) as reader:
        for segment in reader.segments():
            scheme, coded = scheme_of(reader.head), unpack_segment(reader.head, segment)
            again = scheme.quantize(scheme.restore(coded))
            if scheme.config.kind != "huffman":  # which takes its bin widths from the values
                assert again.digest() == segment.digest
            for name, values in coded.dequantize().items():
                np.testing.assert_allclose(again.dequantize()[name], values, rtol=0, atol=0.02)
