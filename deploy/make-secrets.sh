#!/bin/sh
# Makes the secrets of docker-compose.yml, each in a file of its own. What is there already stays.
#
#   make-secrets.sh [DIRECTORY]     ./secrets without it
#
# Only you may enter the directory. The files in it are readable for all, because containers read them as users of their own.
set -eu

directory=${1:-secrets}
mkdir -p "$directory"
chmod 700 "$directory"
cd "$directory"

# make NAME COMMAND… keeps what the command prints, complete or not at all.
make() {
  name=$1
  shift
  [ -e "$name" ] && return
  "$@" >"$name.part"
  chmod 444 "$name.part"
  mv "$name.part" "$name"
}

make postgres-password openssl rand -hex 16
make redis-password openssl rand -hex 16
make hsm-pin openssl rand -hex 8
make hsm-so-pin openssl rand -hex 8
make gateway-credential openssl rand -hex 32
make database-url printf 'postgresql://qnsp:%s@postgres:5432/kms\n' "$(cat postgres-password)"
make redis-url printf 'redis://:%s@redis:6379\n' "$(cat redis-password)"
# For evidence.
make audit-token openssl rand -hex 32
make audit-signing-key.pem openssl genpkey -algorithm ED25519
make audit-public.pem openssl pkey -in audit-signing-key.pem -pubout
