"""How far a file's coded segments are above the entropy of their symbols.

    python benchmarks/coding_overhead.py FILE.nvc

Entropy: zero-order, empirical, per tensor, of symbols and of pruning masks. Coded: every section,
so tables, masks, bin widths and biases count. For files of the arithmetic scheme.
"""

import sys

from common import entropy_bits
from nvcodec.coding.parameters import QuantizedTensor
from nvcodec.container.reader import NvcReader
from nvcodec.segment_values import unpack_segment


def main() -> None:
    """Print one line for the whole file."""
    coded, entropy, count = 0, 0.0, 0
    with NvcReader(sys.argv[1]) as reader:
        for segment in reader.segments():
            for tensor in unpack_segment(reader.head, segment).tensors:
                count += tensor.spec.num_values
                if not isinstance(tensor, QuantizedTensor):
                    continue
                kept = tensor.symbols
                if tensor.mask is not None:
                    entropy += entropy_bits(tensor.mask)
                    kept = kept[tensor.mask]
                entropy += entropy_bits(kept)
            coded += 8 * sum(map(len, segment.sections.values()))
    print(
        f"{sys.argv[1]}: {count:,} parameters, entropy {entropy / 8:,.0f} bytes, coded "
        f"{coded / 8:,.0f} bytes, {100 * (coded / entropy - 1):.2f} % above"
    )


if __name__ == "__main__":
    main()
