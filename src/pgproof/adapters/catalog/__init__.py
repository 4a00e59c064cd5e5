"""The record of databases, backups and restores, in PostgreSQL."""

from pgproof.adapters.catalog.prepare import prepare_catalog
from pgproof.adapters.catalog.repository import PostgresCatalog

__all__ = ["PostgresCatalog", "prepare_catalog"]
