#!/bin/sh
# Dumps the database of the service into one file, complete or not at all.
#
#   backup.sh DATABASE FILE
#
# DATABASE is the name of a database or an address such as postgresql://user@host:5432/kms; what it leaves open comes from
# the usual variables (PGHOST, PGUSER, PGPASSFILE, …). The user has to see every row: row-level security binds the owner of
# the tables, too.
set -eu
umask 077

if [ $# -ne 2 ]; then
  echo "usage: $0 DATABASE FILE" >&2
  exit 2
fi
database=$1
file=$2

run_sql() {
  psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$database" --command="$1"
}

# On lines of their own: a query that fails ends the script with its reason, and is not taken for an empty answer.
keys=$(run_sql "SELECT to_regclass('kms.keys')")
if [ -z "$keys" ]; then
  echo "$0: this database holds no keys of the service" >&2
  exit 1
fi
sees_all=$(run_sql 'SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user')
if [ "$sees_all" != t ]; then
  cat >&2 <<EOF
$0: row-level security hides rows from the user $(run_sql 'SELECT current_user'): the dump would lack keys.
Dump as a superuser, or let one make a user for backups:
  CREATE ROLE kms_backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO kms_backup; GRANT CONNECT ON DATABASE kms TO kms_backup;
EOF
  exit 1
fi

trap 'rm -f "$file.part"' EXIT
# What was brought along with an earlier restore says nothing about this state.
pg_dump --format=custom --exclude-table-data=kms.tombstones --file="$file.part" --dbname="$database"
pg_restore --list "$file.part" >/dev/null
mv "$file.part" "$file"
