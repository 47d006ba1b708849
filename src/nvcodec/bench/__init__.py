"""`nvc bench`: rate-distortion points of nvcodec and of the codecs people would use instead.

    paths -> datasets.py -> Sequence          what is coded
    options -> points.py -> Coder             how: nvcodec at a preset, a baseline at a rate
    Sequence x Coder -> runner.py             encode, decode, measure in processes of their own
             -> measuring.py                  every quality, of a decoded file against its source
             -> results.py                    one JSON line a point, append only
    JSON lines -> report.py                   BD-rates, tables; rd_plot.py draws, page.py the page

Every point is a real file that another process has decoded. No torch is needed to plan or report.
"""
