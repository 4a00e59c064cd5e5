"""Pages of the documentation that are written by the code itself: `python -m reference`."""
