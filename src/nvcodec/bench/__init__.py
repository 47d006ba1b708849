"""`nvc bench`: rate-distortion points of nvcodec and of the codecs people would use instead.

    paths -> datasets.py -> VideoSequence     what is coded
    options -> points.py -> Coder             how: nvcodec at a preset, a baseline at a rate
    sequence x coder -> runner.py             what is missing, several at once, a failed one too
             -> point_work.py                 encode and decode in processes of their own
             -> measuring.py                  every quality, of a decoded file against its source
             -> results.py                    one JSON line a point, append only
    JSON lines -> report.py                   BD-rates, tables; rd_plot.py draws, page.py the page

Every point is a real file that another process has decoded. No torch is needed to plan or report.
"""
