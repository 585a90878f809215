#!/usr/bin/env bash
# A journal verified by strangers: by a script that knows docs/journal.md only, and by the commands that page shows.
# Usage: bash tests/journal/run.sh JOURNAL HEAD   (the head as `issuance audit verify` prints it, POSITION:HASH)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
page="$here/../../docs/journal.md"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -a "$1/." "$copy"
position=${2%%:*} hash=${2#*:}
fail() { echo "journal: $*" >&2; exit 1; }

said=$(python3 "$here/verify.py" "$copy")
[ "$said" = "ok, $position events, $hash" ] || fail "the script says '$said', audit says $2"

# The commands of the page, as they stand there.
block() { awk -v n="$1" '/^## Verify it yourself/{on=1} on&&/^## /&&!/Verify/{exit} on&&/^```sh/{k++; take=(k==n); next} /^```/{take=0} take' "$page"; }
in_copy() { (cd "$copy" && bash -c "$(block "$1")"); }
[ "$(in_copy 1 | cut -c-64 | sort -u | wc -l)" = 1 ] || fail "sha256sum and jq differ on one line"
[ "$(in_copy 2 | tail -n 1)" = "ok, $position events, $hash" ] || fail "jq says otherwise"
# A process for each line: the first segment's beginning is enough.
first=$(find "$copy" -name 'journal-*.jsonl' | sort | head -n 1)
small=$(mktemp -d -p "$copy")
head -n 200 "$first" > "$small/${first##*/}"
said=$(cd "$small" && bash -c "$(block 3)")
case $said in ok,*) ;; *) fail "the shell says '$said'" ;; esac
rm -r "$small"

# And each of them finds one changed byte, one line less, and one file less.
tampered() { # what, command
  if python3 "$here/verify.py" "$copy" > "$copy/said" 2>&1; then fail "the script does not see $1"; fi
  if [ "$(in_copy 2 2> "$copy/said" | tail -n 1)" = "ok, $position events, $hash" ]; then fail "jq does not see $1"; fi
}
cp "$first" "$copy/kept"
sed -i '3s/"version":\([0-9]*\)/"version":9\1/' "$first"
if python3 "$here/verify.py" "$copy" > "$copy/said" 2>&1; then fail "the script does not see a changed byte"; fi
grep -q 'line 3, byte' "$copy/said" || fail "no place: $(cat "$copy/said")"
cp "$copy/kept" "$first"; sed -i 5d "$first"; tampered "a line less"
cp "$copy/kept" "$first"; sed -i '5{h;d};6G' "$first"; tampered "two lines in another order"
cp "$copy/kept" "$first"; printf '{"position":' >> "$(find "$copy" -name 'journal-*.jsonl' | sort | tail -n 1)"
said=$(python3 "$here/verify.py" "$copy")
[ "$said" = "ok, $position events, $hash, 12 bytes at the end left out" ] || fail "a torn tail: $said"
rm "$first"
if python3 "$here/verify.py" "$copy" > "$copy/said" 2>&1 && [ "$(cut -d, -f2 "$copy/said")" = " $position events" ]; then
  fail "the script does not see a missing file"
fi
echo "journal: $position events verified without the project"
