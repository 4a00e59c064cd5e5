"""Places where archives live."""
