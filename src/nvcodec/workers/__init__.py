"""Segments done by several workers at once, and their results in order.

works --Foreman--> Crew: processes here, or machines elsewhere (`distributed`)
                   told, warned, shown, finished, failed, lost
results in order <-- Foreman
"""

from nvcodec.workers.crew import Work
from nvcodec.workers.results import crew_of, results_in_order

__all__ = ["Work", "crew_of", "results_in_order"]
