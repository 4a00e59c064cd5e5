"""The catalog as a whole: rebuilding it, writing it out, taking dumps of others into it."""
