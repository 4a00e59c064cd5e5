"""One restore, step by step: what every mode shares, and each mode."""
