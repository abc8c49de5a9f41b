#!/bin/sh
# Carries what has ended (keys destroyed, revoked or suspended, tokens revoked, tenants shredded) past a restore. The file
# holds ids and times, no secret.
#
#   tombstones.sh export DATABASE FILE   often, such as every few minutes; to another place than the database is at
#   tombstones.sh load DATABASE FILE     into a restored copy, before the service starts on it
#
# Exporting takes any user who is a member of kms_app; loading takes the owner of the tables or a superuser.
set -eu
umask 077

if [ $# -ne 3 ] || { [ "$1" != export ] && [ "$1" != load ]; }; then
  echo "usage: $0 export|load DATABASE FILE" >&2
  exit 2
fi
action=$1
database=$2
file=$3
header=kind,tenant_id,id,state,reason,at

# Row-level security shows the rows of all tenants to a session that works for the whole service.
PGOPTIONS="${PGOPTIONS-} -c kms.scope=system"
export PGOPTIONS
run_psql() {
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$database" "$@"
}

if [ "$action" = export ]; then
  # What is missing in an older copy is missing in its list as well, and the file may be the only one that has it.
  unsettled="SELECT count(*) FROM kms.database_copies
    WHERE place = kms.database_place() AND data_as_of IS NOT NULL AND settled_at IS NULL"
  if [ "$(run_psql --no-align --tuples-only --command="$unsettled")" != 0 ]; then
    echo "$0: the database is an older copy that was not settled, and knows nothing of what ended since: $file was left as it is" >&2
    exit 1
  fi
  trap 'rm -f "$file.part"' EXIT
  run_psql --command='COPY (SELECT * FROM kms.tombstones_now) TO STDOUT (FORMAT csv, HEADER)' >"$file.part"
  mv "$file.part" "$file"
  exit
fi

if [ "$(head -n 1 "$file")" != "$header" ]; then
  echo "$0: $file does not hold tombstones: it does not begin with $header" >&2
  exit 1
fi
# Into a table without row-level security first, which COPY FROM refuses.
run_psql --single-transaction \
  --command='CREATE TEMPORARY TABLE brought (LIKE kms.tombstones)' \
  --command='\copy brought FROM pstdin (FORMAT csv, HEADER)' \
  --command='DELETE FROM kms.tombstones' \
  --command='INSERT INTO kms.tombstones SELECT * FROM brought' <"$file"
