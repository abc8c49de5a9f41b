#!/bin/sh
# Runs a program as the first process of a container: passes signals on and ends with its exit code, but stays after 78. That is
# a configuration that is wrong until somebody mends it: to start again would only try the PIN of an HSM again, which locks.
#
#   run-service.sh PROGRAM [ARGUMENT…]
set -u

"$@" &
program=$!
trap 'kill -TERM "$program"' TERM INT
wait "$program"
code=$?
# A signal ends the wait, and not the program.
while kill -0 "$program" 2>/dev/null; do
  wait "$program"
  code=$?
done
if [ "$code" -ne 78 ]; then
  exit "$code"
fi

echo "$0: the configuration has to be mended (above); waiting to be stopped" >&2
sleep infinity &
sleeper=$!
trap 'kill "$sleeper"; exit 78' TERM INT
wait "$sleeper"
