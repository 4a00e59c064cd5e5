"""The catalog's schema, revision by revision. A released revision never changes."""
