"""The strange database: every kind of object and value that PostgreSQL can hold, and the proof that it came back.

`sql/15` holds for every server; `sql/16`, `sql/17` and `sql/18` for servers of that major version and later;
`sql/capable` for servers that were built with a library or carry an extension. `build` makes the database,
`equality` says in what two databases differ.

Deliberately absent, because pg_dump leaves it out or cannot restore it (so no backup made with it can hold it):

- Functions in checks, indexes and materialised views that find others by the caller's search path:
  pg_restore empties the search path. Ours name schemas or bring a path of their own.
- Exclusion constraints on partitioned tables (17 and later): the server refuses the ATTACH PARTITION that
  pg_dump writes for their indexes, "The index definitions do not match" (seen on 18.4).
- A child table whose own columns stand before those it shares with the parent that it was made to inherit from
  (ALTER TABLE INHERIT): a restore puts the parent's columns first. Columns that a parent got later are here.
- A column of the row type of such a child: its values are written in one order of columns and read in another.
- A trigger that is disabled on a partition of a partition: pg_restore with more than one job may alter it
  before it creates it, as pg_dump writes no dependency between the two. On a partition of the first level it is here.
- Data that breaks its own constraints, but for constraints that say so (NOT VALID, NOT ENFORCED).
- Materialised views that their own owner may not refresh, or whose content changes by itself (now(), random()).
- Objects in pg_catalog and information_schema, temporary objects, invalid indexes, prepared transactions,
  replication slots, collected statistics, security labels (no provider), and what belongs to the whole server.
"""
