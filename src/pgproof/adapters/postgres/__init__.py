"""The protected servers and the PostgreSQL project's own tools."""
