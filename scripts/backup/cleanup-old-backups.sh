#!/bin/sh
# Remove the backups that no retention rule keeps, for a line in a crontab: cleanup-old-backups.sh [OPTIONS OF pgproof cleanup]
# Exit status: that of pgproof; 5 also when the run before has not ended.
set -u

task=cleanup-old-backups
database=
case "${1:-}" in
    -h | --help)
        sed -n '2,3s/^# //p' "$0"
        exit 0
        ;;
esac

# shellcheck source=scripts/backup/common.sh
. "$(dirname "$0")/common.sh"

run cleanup cleanup --yes "$@"
