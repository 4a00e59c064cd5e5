"""The faces of pgproof."""
