"""Kill a process at every step of every operation, and see that the next one finds nothing broken."""
