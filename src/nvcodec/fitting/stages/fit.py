"""Stage `fit`: distortion only."""

from nvcodec.fitting.configs.fit import FitConfig
from nvcodec.fitting.stage import Stage


class Fit(Stage[FitConfig]):
    """Minimise the distortion."""
