"""The `.nvc` file."""
