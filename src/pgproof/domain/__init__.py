"""What a backup is: values and decisions. Standard library only; no I/O, no clock, no randomness."""
