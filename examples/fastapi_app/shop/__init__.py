"""A small shop: users, orders, and an admin's page for backups that pgproof brings."""
