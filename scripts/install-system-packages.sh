#!/usr/bin/env bash
# Debian packages that CI needs beyond Node 20 and npm: Python for `pnpm interop` and the Python sample of a new workspace, curl
# and jq for the commands of the READMEs and pages. Machines without them leave these samples out of `pnpm test`, and say so;
# everything else needs none of them. Does nothing where all are installed.
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
