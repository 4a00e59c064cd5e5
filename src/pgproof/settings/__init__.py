"""Typed settings from the environment and from `.env`. Nothing else reads the environment.

A setting `home` is the variable ``BACKUP_HOME``. The environment wins over `.env`, an empty value counts as
unset, and a secret may come from a file that ``<NAME>_FILE`` names. Every bad value is reported at once.
"""

from pgproof.settings.given import SettingValues
from pgproof.settings.loading import load_settings
from pgproof.settings.model import LogFormat, LogLevel, Settings
from pgproof.settings.names import FALLBACKS, LATER, NAMES

__all__ = ["FALLBACKS", "LATER", "NAMES", "LogFormat", "LogLevel", "SettingValues", "Settings", "load_settings"]
