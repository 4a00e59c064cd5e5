#!/bin/sh
# Write the secrets that docker-compose.prod.yml reads: deploy/make-secrets.sh [FOLDER]   (default: secrets)
# What is there already stays as it is: a new password in a file does not change the one in the server.
set -eu

folder=${1:-secrets}
# The folder is the owner's alone, so what is in it can be readable: it is mounted one file at a time, and the user in the
# container is another one.
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# put NAME: what standard input holds, if there is no such secret yet. Whole or not at all.
put() {
    if [ -e "$folder/$1" ]; then
        echo "$folder/$1 is there already"
        cat >/dev/null
    else
        cat >"$folder/.new"
        [ -s "$folder/.new" ]
        chmod 444 "$folder/.new"
        mv "$folder/.new" "$folder/$1"
        echo "$folder/$1 is made"
    fi
}

# Hexadecimal: it needs no quoting in a URL.
random() {
    head -c 32 /dev/urandom | od -An -v -t x1 | tr -d ' \n'
}

random | put postgres_password
random | put scratch_password
random | put secret_key
printf 'postgresql://postgres:%s@db:5432/pgproof' "$(cat "$folder/postgres_password")" | put catalog_url
printf 'postgresql://postgres:%s@scratch:5432/postgres' "$(cat "$folder/scratch_password")" | put scratch_url
echo "Keep a copy of $folder/secret_key where the backups are not: without it the stored passwords cannot be read."
