"""Restore tests, part by part: what is lacking, roles, the load, the comparison."""
