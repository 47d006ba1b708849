"""The codecs that we compare with: a file here is a name, `svt_av1.py` is `svt-av1`."""

from nvcodec import registry
from nvcodec.bench.baseline import Baseline
from nvcodec.errors import PresetError


def baseline_names() -> list[str]:
    """Names as users write them."""
    return [name.replace("_", "-") for name in registry.names(__name__)]


def load_baseline(name: str) -> Baseline:
    """The baseline of that name.

    Raises:
        PresetError: there is none.
    """
    if name not in baseline_names():
        raise PresetError(
            f"baseline {name!r} is unknown; allowed are {', '.join(baseline_names())}"
        )
    return registry.load(__name__, name.replace("-", "_"), Baseline)()


__all__ = ["Baseline", "baseline_names", "load_baseline"]
