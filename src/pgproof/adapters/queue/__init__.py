"""The queue on Procrastinate, in the catalog's database.

Procrastinate brings jobs to workers: it knows which entry waits, who took it, and whether that worker is still
there. What a job is, and what became of it, the catalog's own table says.
"""

from pgproof.adapters.queue.asking import ProcrastinateQueue

__all__ = ["ProcrastinateQueue"]
