#!/bin/sh
# Makes the database at the first start, then becomes the server.
# POSTGRES_PASSWORD (needed), POSTGRES_USER (postgres), POSTGRES_DB (the user's name), PGDATA.
set -eu
: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD, the password of $POSTGRES_USER}"
  # A start that was cut off must not leave half a database: it gets its name when it is whole.
  new="$PGDATA.new"
  rm -rf "$new"
  umask 077
  mkdir -p "$new"
  printf '%s' "$POSTGRES_PASSWORD" > "$new.password"
  initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile="$new.password" \
    --auth-local=scram-sha-256 --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >&2
  rm "$new.password"
  cat >> "$new/postgresql.conf" <<EOF
listen_addresses = '*'
unix_socket_directories = '$(dirname "$PGDATA")'
# The compiler's library is not in the image.
jit = off
EOF
  echo 'host all all all scram-sha-256' >> "$new/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    printf 'CREATE DATABASE "%s"\n' "$POSTGRES_DB" | postgres --single -D "$new" postgres >&2
  fi
  mv "$new" "$PGDATA"
fi
exec postgres -D "$PGDATA" "$@"
