"""What goes out with a release beside the code."""
