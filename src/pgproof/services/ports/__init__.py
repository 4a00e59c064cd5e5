"""What the world must offer to the use cases. Each method states its contract; one suite per port holds
every adapter and its fake to it.
"""

from pgproof.services.ports.catalog import BackupFilter, BackupPage, BackupStats, Catalog, ListedBackup, Position, Seal
from pgproof.services.ports.dumps import DumpFiles, FoundDump
from pgproof.services.ports.jobs import Clock, Lock, Observer, Progress
from pgproof.services.ports.queue import (
    Entry,
    JobFilter,
    JobListener,
    JobQueue,
    JobRecords,
    Receiver,
    WantedBackup,
)
from pgproof.services.ports.server import DatabaseFacts, PostgresServer, Relation, Scratch, ScratchServer, Snapshot
from pgproof.services.ports.storage import Folders, ObjectInfo, Storage, Streams
from pgproof.services.ports.tools import (
    TRANSACTION_MARK,
    ClientTools,
    DumpRequest,
    PostgresTools,
    RestoreRequest,
    Watch,
)

__all__ = [
    "TRANSACTION_MARK",
    "BackupFilter",
    "BackupPage",
    "BackupStats",
    "Catalog",
    "ClientTools",
    "Clock",
    "DatabaseFacts",
    "DumpFiles",
    "DumpRequest",
    "Entry",
    "Folders",
    "FoundDump",
    "JobFilter",
    "JobListener",
    "JobQueue",
    "JobRecords",
    "ListedBackup",
    "Lock",
    "ObjectInfo",
    "Observer",
    "Position",
    "PostgresServer",
    "PostgresTools",
    "Progress",
    "Receiver",
    "Relation",
    "RestoreRequest",
    "Scratch",
    "ScratchServer",
    "Seal",
    "Snapshot",
    "Storage",
    "Streams",
    "WantedBackup",
    "Watch",
]
