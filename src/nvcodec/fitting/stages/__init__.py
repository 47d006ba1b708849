"""Stages of fitting: one file, one name that presets may use."""
