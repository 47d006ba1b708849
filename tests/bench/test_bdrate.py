"""BD-rates: the package's documented examples, printed ones, and what has no number."""

from pathlib import Path

import pytest

from nvcodec.bench.curves import published_curves, read_published
from nvcodec.metrics.bdrate import Delta, delta, front

PUBLISHED = Path(__file__).resolve().parents[2] / "benchmarks" / "published"
# The examples that the package documents.
EXAMPLES = [
    (
        [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)],
        [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)],
    ),
    (
        [(82472.76, 43.825), (26875.24, 41.404), (9487.76, 40.037), (4593.6, 38.615)],
        [(99896.96, 44.731), (33952.04, 41.875), (9787.8, 40.121), (4469.0, 38.651)],
    ),
]


@pytest.mark.parametrize(("anchor", "test"), EXAMPLES)
@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_the_packages_examples(anchor, test, method):
    import bjontegaard

    rates = [[rate for rate, _ in sorted(c)] for c in (anchor, test)]
    quality = [[value for _, value in sorted(c)] for c in (anchor, test)]
    arguments = (rates[0], quality[0], rates[1], quality[1])
    found = delta(anchor, test, method)
    assert isinstance(found, Delta)
    assert found.rate_percent == pytest.approx(bjontegaard.bd_rate(*arguments, method=method))
    assert found.quality == pytest.approx(bjontegaard.bd_psnr(*arguments, method=method))


def test_the_first_example_as_a_number():
    found = delta(*EXAMPLES[0])
    assert found.rate_percent == pytest.approx(-4.4252, abs=1e-4)
    assert found.quality == pytest.approx(0.1194, abs=1e-4)


def test_half_the_rate_is_minus_50_percent():
    anchor = [(2.0**n, 30.0 + n) for n in range(4)]
    found = delta(anchor, [(rate / 2, quality) for rate, quality in anchor])
    assert found.rate_percent == pytest.approx(-50)
    assert found.quality == pytest.approx(1)
    assert found.overlap == (30, 33)
    assert found.overlap_share == 1


def test_what_has_no_number():
    low, high = [(1, 30), (2, 31)], [(1, 40), (2, 41)]
    assert delta(low, high) == "no overlap"
    assert delta(low, [(1, 30.5)]) == "fewer than two points"
    assert delta([(1, 30), (2, 29)], low) == "fewer than two points"  # one point beats the other


def test_rates_that_do_not_overlap_have_no_quality_difference():
    anchor = [(1.0, 30.0), (2.0, 32.0)]
    found = delta(anchor, [(10.0, 31.0), (20.0, 33.0)])
    assert found.rate_percent > 100
    assert found.quality is None


def test_front_leaves_out_beaten_points():
    assert front([(3, 33), (1, 30), (2, 29), (2, 31), (4, 33)]) == [(1, 30), (2, 31), (3, 33)]


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_published_curves_give_the_printed_bd_rates(path):
    published = read_published(path)
    curves = {c.codec: c for c in published_curves(published) if c.sequence == "average"}
    num_agreeing = 0
    for printed in published.bd_rates:
        if printed.anchor in curves and printed.test in curves:
            pair = (curves[name].values(printed.metric) for name in (printed.anchor, printed.test))
            found = delta(*pair).rate_percent
            if abs(found - printed.percent) <= 3:
                num_agreeing += 1
                assert not printed.note
                continue
            assert f"{found:.1f} from these points" in printed.note
        assert printed.note, f"{printed.test} against {printed.anchor}: no note says why"
    assert num_agreeing == {"uvg": 4, "mcl-jcv": 0}[path.stem]
