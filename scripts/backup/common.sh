# shellcheck shell=sh
# shellcheck disable=SC2154 # task and database are the caller's
# What both scripts share: where things are, a lock against overlap, one line of log for each run.
#
#   PGPROOF            the command (default: pgproof)
#   PGPROOF_DIRECTORY  the folder where it runs, which holds .env (default: the working directory; cron's is $HOME)
#   PGPROOF_LOG        the log (default: backup.log in that folder)
#   PGPROOF_LOCKS      the folder of the locks (default: that folder)

CONFIGURATION=3
CONFLICT=5

: "${PGPROOF:=pgproof}"
cd "${PGPROOF_DIRECTORY:-.}" || exit "$CONFIGURATION"
: "${PGPROOF_LOG:=backup.log}"
: "${PGPROOF_LOCKS:=.}"

work=
lock=
child=

# What is logged names tables and servers, and may be long: only the owner reads it.
umask 077

# tell OUTCOME STATUS SECONDS MESSAGE: one line, whatever the message holds.
tell() {
    told=$(printf '%s' "$4" | tr -d '\r' | tr '\n' ' ')
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    printf '%s\n' "$now $task${database:+ $database} $1 status=$2 seconds=$3 $told" >>"$PGPROOF_LOG"
}

# What cannot be logged must at least reach cron's mail.
fail() {
    echo "$task: $2" >&2
    tell failed "$1" 0 "$2" || echo "$task: unable to write to $PGPROOF_LOG" >&2
    exit "$1"
}

alive() {
    kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]
}

# Held by an open file: the kernel gives it back however this process ends.
take_with_flock() {
    touch "$lock" 2>/dev/null || fail "$CONFIGURATION" "unable to write $lock"
    exec 9>>"$lock"
    flock -n 9
}

# Without flock: a link that names its holder, made in one step. That of a dead process is taken over by whoever makes
# a second link beside it, so that two do not take over at once.
take_with_link() {
    ln -s "$$" "$lock.held" 2>/dev/null && return 0
    [ -w "${lock%/*}" ] || fail "$CONFIGURATION" "unable to write $lock.held"
    holder=$(readlink "$lock.held") || return 1
    if alive "$holder"; then return 1; fi
    ln -s "$$" "$lock.takeover" 2>/dev/null || return 1
    if [ "$(readlink "$lock.held")" = "$holder" ]; then
        rm -f "$lock.held"
        ln -s "$$" "$lock.held" 2>/dev/null
        taken=$?
    else
        taken=1
    fi
    rm -f "$lock.takeover"
    return "$taken"
}

take_lock() {
    lock="$PGPROOF_LOCKS/$1.lock"
    if [ -z "${PGPROOF_NO_FLOCK:-}" ] && command -v flock >/dev/null 2>&1; then
        take_with_flock && return 0
    elif take_with_link; then
        linked=yes
        return 0
    fi
    fail "$CONFLICT" "the run before this one has not ended (lock $lock)"
}

clean_up() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "${linked:-}" ] || rm -f "$lock.held"
}

# A signal for this script is one for pgproof, which ends its job cleanly and then itself. Always SIGTERM: what a shell
# starts in the background ignores SIGINT.
pass_on() {
    interrupted=yes
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}

# A signal ends the wait, not the child.
wait_for_child() {
    while :; do
        interrupted=
        wait "$child"
        status=$?
        [ -n "$interrupted" ] || return "$status"
    done
}

# run LOCK ARGUMENTS...: run pgproof under the lock, log one line, exit with its status. What went wrong is also printed.
run() {
    command -v "$PGPROOF" >/dev/null 2>&1 || fail "$CONFIGURATION" "there is no command $PGPROOF: set PGPROOF to its path"
    trap clean_up EXIT
    take_lock "$1"
    shift
    work=$(mktemp -d) || fail "$CONFIGURATION" "unable to make a temporary folder"
    trap pass_on TERM INT HUP
    began=$(date +%s)
    "$PGPROOF" "$@" --json >"$work/out" 2>"$work/err" &
    child=$!
    wait_for_child
    status=$?
    if [ "$status" -eq 0 ]; then
        outcome=ok
        message=$(sed -n 's/^  "message": "\(.*\)",\{0,1\}$/\1/p' "$work/out")
    else
        outcome=failed
        message=$(tail -n 1 "$work/err" | sed 's/^{"error": \(.*\), "facts": .*$/\1}/')
        cat "$work/err" >&2
    fi
    tell "$outcome" "$status" "$(($(date +%s) - began))" "${message:-without a word}" || {
        echo "$task: status $status, and unable to write to $PGPROOF_LOG" >&2
        [ "$status" -ne 0 ] || status=$CONFIGURATION
    }
    exit "$status"
}
