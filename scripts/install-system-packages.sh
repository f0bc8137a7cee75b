#!/usr/bin/env bash
# Debian packages that CI needs beyond Node 20 and npm: Python for `pnpm interop` and for the Python sample of a new workspace,
# which other machines without Python leave out; curl and jq for the commands of the READMEs and pages. Everything else needs none of them: the embedded database is Node's own.
# Does nothing where all are installed.
set -euo pipefail
packages=(python3 python3-venv curl jq)
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update
  apt-get install -y --no-install-recommends "${missing[@]}"
fi
