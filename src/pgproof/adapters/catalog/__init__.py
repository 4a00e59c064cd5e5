"""The record of databases, backups, restores and users, in PostgreSQL."""

from pgproof.adapters.catalog.access_records import AccessRecords
from pgproof.adapters.catalog.idempotency_records import PostgresIdempotencyRecords
from pgproof.adapters.catalog.job_records import JobRecords
from pgproof.adapters.catalog.prepare import prepare_catalog
from pgproof.adapters.catalog.repository import PostgresCatalog

__all__ = ["AccessRecords", "JobRecords", "PostgresCatalog", "PostgresIdempotencyRecords", "prepare_catalog"]
