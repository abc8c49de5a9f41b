#!/bin/sh
# Restores a dump of backup.sh into a database that is empty, on any server.
#
#   restore.sh [--owner ROLE] [--tombstones FILE] DUMP DATABASE
#
#   --owner       the role that gets the tables: the user of the service that migrates; the connecting user without it
#   --tombstones  what has ended since the dump, from tombstones.sh
#
# DATABASE is the name of a database or its address. A superuser can do it, and so can the owner of the database where the
# role kms_app is there and granted to them.
set -eu

usage() {
  echo "usage: $0 [--owner ROLE] [--tombstones FILE] DUMP DATABASE" >&2
  exit 2
}

owner=
tombstones=
while [ $# -gt 2 ]; do
  case $1 in
    --owner) owner=$2 ;;
    --tombstones) tombstones=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[ $# -eq 2 ] || usage
dump=$1
database=$2
here=$(dirname "$0")

run_sql() {
  psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$database" "$@"
}

if [ -n "$tombstones" ] && ! [ -r "$tombstones" ]; then
  echo "$0: $tombstones cannot be read" >&2
  exit 1
fi
present=$(run_sql --command="SELECT to_regnamespace('kms')")
if [ -n "$present" ]; then
  echo "$0: the database is not empty. Make a new one; nothing was changed." >&2
  exit 1
fi

# Roles belong to the server, not to the dump.
if ! run_sql --set=owner="$owner" <<'EOF'
SELECT 'CREATE ROLE kms_app NOLOGIN' WHERE to_regrole('kms_app') IS NULL \gexec
SELECT coalesce(nullif(:'owner', ''), current_user) AS owner \gset
SELECT format('GRANT kms_app TO %I', :'owner') WHERE NOT pg_has_role(:'owner', 'kms_app', 'MEMBER') \gexec
EOF
then
  echo "$0: let a superuser run: CREATE ROLE kms_app NOLOGIN; GRANT kms_app TO the owner of the tables" >&2
  exit 1
fi

# One transaction: a dump that does not restore as a whole leaves nothing behind.
pg_restore --single-transaction --exit-on-error --no-owner ${owner:+--role="$owner"} --dbname="$database" "$dump"
if [ -n "$tombstones" ]; then
  "$here/tombstones.sh" load "$database" "$tombstones"
fi

PGOPTIONS="${PGOPTIONS-} -c kms.scope=system"
export PGOPTIONS
# As the service writes it, and as KMS_ACCEPT_RESTORED_COPY takes it.
as_of=$(run_sql --command="SELECT to_char(max(alive_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM kms.database_copies")
echo "Restored from data of ${as_of:-an unknown time}. Start the service with the root key of that time; its log and /health say the rest."
