#!/bin/sh
# Take a backup, for a line in a crontab: backup-database.sh [DATABASE] [OPTIONS OF pgproof backup]
# It is recorded as scheduled_cron. Exit status: that of pgproof; 5 also when the run before has not ended.
set -u

task=backup-database
database=
case "${1:-}" in
    -h | --help)
        sed -n '2,3s/^# //p' "$0"
        exit 0
        ;;
    '' | -*) ;;
    *)
        database=$1
        shift
        ;;
esac

# shellcheck source=scripts/backup/common.sh
. "$(dirname "$0")/common.sh"

case "$database" in
    *://*)
        database=
        fail 2 "a URL would be seen by everybody in the list of processes: register it with 'pgproof database add NAME -'"
        ;;
esac

# One lock for each database: they do not wait for each other. Its name is a checksum, because a database's may hold anything.
name=$(printf '%s' "$database" | cksum)
run "backup-${name%% *}" backup ${database:+"$database"} --trigger scheduled_cron "$@"
