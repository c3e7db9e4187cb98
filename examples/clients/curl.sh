#!/bin/sh
# The whole API that a caller needs, with curl alone: submit, poll, logs, result.
#
#     longhaul dev                                           (in another terminal)
#     longhaul deploy examples/functions/report-python
#     sh examples/clients/curl.sh [FUNCTION] [EVENT]
#
# LONGHAUL_SERVER names another server. Exits 0 only if the invocation succeeded.
set -eu

server=${LONGHAUL_SERVER:-http://127.0.0.1:7070}
function=${1:-report}
event=${2:-'{"seconds": 3}'}

# The first member of that name in a JSON document on stdin, if it is text: enough for a shell.
member() {
    tr -d '\n' | grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/'
}

# Submit. The 202 means: it is on disk. A repeated submit under the same key is the same one.
answer=$(curl --silent --show-error --fail-with-body --include --request POST \
    "$server/v1/functions/$function/invocations" \
    --header 'Content-Type: application/json' \
    --header "Idempotency-Key: curl-$$-$(date +%s)" \
    --data "$event") || { echo "$answer" >&2; exit 1; }
id=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^[Ii]nvocation-[Ii]d: //p')
echo "submitted: $id" >&2

# Poll: each answer comes at the next change, or after 10 s.
state=$(curl --silent --show-error --fail-with-body "$server/v1/invocations/$id" | member state)
while :; do
    echo "state: $state" >&2
    case $state in
        succeeded | failed | timed_out | cancelled | killed | expired) break ;;
    esac
    state=$(curl --silent --show-error --fail-with-body "$server/v1/invocations/$id?wait=10s" |
        member state)
done

echo "--- logs" >&2
curl --silent --show-error --fail-with-body "$server/v1/invocations/$id/logs" >&2

[ "$state" = succeeded ] || { echo "it did not succeed: $state" >&2; exit 1; }
echo "--- result" >&2
curl --silent --show-error --fail-with-body "$server/v1/invocations/$id/result"
echo
