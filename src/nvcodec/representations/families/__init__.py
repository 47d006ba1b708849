"""Networks: one file, one name for presets; settings stand in `configs`, under the same name."""
