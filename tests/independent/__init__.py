"""A second decoder, from `docs/format.md` alone: numpy, the standard library, nothing of nvcodec.

    bytes --container-> sections --schemes-> integers, half floats --families-> samples -> planes

Whoever wants to know what a sentence of the page means finds it here in the plainest code, slow and
without limits on what a file may ask for. Files follow the parts of the page; begin at `decoder`.
"""
