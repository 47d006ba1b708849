"""Schemes: one file, one name that presets may use."""
