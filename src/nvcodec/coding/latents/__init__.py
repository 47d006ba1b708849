"""How coefficients and motion of predicted pictures are coded: contexts in integers."""
