"""How much each stage of a network upsamples, for any picture size."""

import itertools


def plan_strides(height: int, width: int, num_stages: int, base_rows: int) -> tuple[int, ...]:
    """Upsampling factor of each stage for a frame size.

    The product P of the factors, each 1 to 5 and none larger than the one before, is the one whose
    base grid has a short side `ceil(min(H, W) / P)` nearest to `base_rows`; then the one with the
    smallest canvas; then the one whose last factors are largest. With `base_rows = 18` and four
    stages this gives 5,2,2,2 at 1280x720 and 5,3,2,2 at 1920x1080, as HiNeRV uses (its repository's
    configurations); with 9 rows and five stages 5,2,2,2,2 and 5,3,2,2,2, as NeRV (section 4.1).
    """

    def preference(strides: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        product = 1
        for stride in strides:
            product *= stride
        rows, columns = -(-height // product), -(-width // product)
        canvas = rows * columns * product * product
        return abs(min(rows, columns) - base_rows), canvas, tuple(-s for s in reversed(strides))

    return min(itertools.combinations_with_replacement((5, 4, 3, 2, 1), num_stages), key=preference)
