#!/bin/sh
# Counts the words of the event (stdin): stdout is the result, stderr the log.
# TOP: how many to print. PAUSE_SECONDS: rest after each tenth of the lines, to have something to
# watch.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/text"
lines=$(awk 'END { print NR }' "$work/text")
echo "counting the words of $lines lines, $(wc -c < "$work/text") bytes" >&2

step=$(((lines + 9) / 10))
[ "$step" -gt 0 ] || step=1
from=1
while [ "$from" -le "$lines" ]; do
    to=$((from + step - 1))
    sed -n "${from},${to}p" "$work/text" | tr -cs '[:alnum:]' '\n' |
        tr '[:upper:]' '[:lower:]' | sed '/^$/d' >> "$work/words"
    [ "$to" -le "$lines" ] || to=$lines
    echo "lines $from to $to of $lines: $(wc -l < "$work/words") words so far" >&2
    sleep "${PAUSE_SECONDS:-0}"
    from=$((from + step))
done

touch "$work/words"
sort "$work/words" | uniq -c | sort -k1,1nr -k2 | head -n "${TOP:-10}" |
    awk '{ printf "%7d %s\n", $1, $2 }'
echo "done" >&2
