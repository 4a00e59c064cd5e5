#!/bin/sh
# The whole API of the first specification, with nothing but curl: sign in, back up, look, restore, clean up.
#
#   PGPROOF_USER=admin PGPROOF_PASSWORD=... examples/curl.sh [http://127.0.0.1:8000]
#
# The password is what `pgproof serve` prints when it starts for the first time. The backup is of the first protected
# database, or of the one in PGPROOF_DATABASE. The restore replaces what is in that database by the backup just taken.
set -eu

server=${1:-http://127.0.0.1:8000}
backups=$server/api/admin/backups
database=${PGPROOF_DATABASE:-}

# One field of a JSON object that stands on standard input.
field() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

say() {
    printf '\n%s\n' "$1" >&2
}

# Neither password nor token is an argument: every user of a machine sees the arguments of its processes.
say '1. Sign in'
token=$(
    printf '%s' "$PGPROOF_PASSWORD" |
        curl --silent --show-error --fail-with-body --data-urlencode "username=$PGPROOF_USER" \
            --data-urlencode password@- "$server/api/auth/token" | field access_token
)
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$token" |
        curl --silent --show-error --fail-with-body --config - "$@"
    echo
}

say '2. Back up, and wait until it is done'
if [ -n "$database" ]; then
    wanted=$(printf '{"database": "%s", "description": "by curl"}' "$database")
else
    wanted='{"description": "by curl"}'
fi
created=$(
    call --request POST --header 'Content-Type: application/json' --header 'Prefer: wait=300' \
        --data "$wanted" "$backups/create"
)
echo "$created"
id=$(echo "$created" | field id)

say '3. List the newest completed backups'
call "$backups?limit=5&status=completed"

say '4. Totals'
call "$backups/stats"

say '5. Download the archive, in two parts'
archive=$(mktemp)
trap 'rm -f "$archive"' EXIT
call --range 0-1023 --output "$archive" "$backups/$id/download"
call --continue-at - --output "$archive" "$backups/$id/download"
sha256sum "$archive" | cut -c 1-64

say '6. Restore it, with a safety backup first'
call --request POST --header 'Content-Type: application/json' --header 'Prefer: wait=300' \
    --data '{"create_safety_backup": true, "drop_existing": true, "run_analyze": true}' "$backups/restore/$id"

say '7. Clean up: first what would go and why, then in earnest'
call --request POST "$backups/cleanup?dry_run=true"
call --request POST "$backups/cleanup"
