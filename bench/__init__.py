"""Measures pgproof beside the PostgreSQL project's own tools, in one run on one machine."""
