"""Frames in and out, in their own samples. No torch here."""
