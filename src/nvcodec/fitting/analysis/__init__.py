"""How coefficients and motion of predicted pictures are found: by analysis, not by descent."""
