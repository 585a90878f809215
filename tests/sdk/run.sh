#!/usr/bin/env bash
# UQPAY's own SDK tests for authentication, issuing and simulation against a simulator. Their files are fetched, not
# kept: they ship in the SDK's source package. Only what is about cards is chosen; docs/simulator.md says what is not.
# Usage: tests/sdk/run.sh API_BASE [DIRECTORY WITH THEIR conftest.py, test_auth.py, test_issuing.py, test_simulator.py]
set -euo pipefail
version=3.2.0
here=$(cd "$(dirname "$0")" && pwd)
base=${1:?usage: run.sh API_BASE [TESTS]}
work="$here/../../target/python-sdk"
files=(conftest.py test_auth.py test_issuing.py test_simulator.py)

[ -x "$work/bin/python" ] || python3 -m venv "$work"
if ! "$work/bin/python" -c 'import pytest, dotenv, uqpay' 2>/dev/null; then
  "$work/bin/pip" install --quiet --disable-pip-version-check "uqpay==$version" pytest python-dotenv
fi

tests="$work/uqpay-$version/tests"
if [ $# -gt 1 ]; then
  tests=$(cd "$2" && pwd)
elif [ ! -d "$tests" ]; then
  "$work/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary uqpay --dest "$work" "uqpay==$version"
  tar -xzf "$work/uqpay-$version.tar.gz" -C "$work"
fi
for file in "${files[@]}"; do
  if [ ! -f "$tests/$file" ]; then
    echo "$file is not in the SDK's source package; give the directory of their tests as the second argument" >&2
    exit 2
  fi
done

# From a directory of its own, so that the installed SDK is tested and not the unpacked one.
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
for file in "${files[@]}"; do cp "$tests/$file" "$run/"; done
cd "$run"
UQPAY_API_BASE="$base" PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1 NO_PROXY='*' "$work/bin/python" -m pytest -p sandbox \
  -p no:cacheprovider --rootdir "$run" -rsf --tb=short -q -k "test_auth or test_simulator or card" "${files[@]:1}"
