"""One folder or file per outside thing. Siblings do not import each other."""
