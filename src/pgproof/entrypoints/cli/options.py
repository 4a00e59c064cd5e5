"""Arguments and options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


class CommandTrigger(StrEnum):
    """What a command line may say of who asked for a backup; the other triggers are not its to claim."""

    MANUAL_CLI = "manual_cli"
    SCHEDULED_CRON = "scheduled_cron"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the database's name.")]
JobId = Annotated[int, typer.Argument(metavar="ID", help="The job's number, as `pgproof job list` shows it.")]
BackupId = Annotated[int, typer.Argument(metavar="ID", help="The backup's number, as `pgproof list` shows it.")]
