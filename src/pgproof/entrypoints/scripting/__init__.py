"""pgproof for programs: the same services as behind the command line, as methods."""
