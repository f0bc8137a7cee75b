#!/usr/bin/env bash
# Debian packages that CI needs beyond Node 20 and npm: Python for `pnpm interop` and the Python sample of a new workspace, curl
# and jq for the commands of the READMEs and pages, nginx, Caddy and systemd for `pnpm operating`. `pnpm test` passes without
# them: it leaves the samples that need Python, curl and jq out, and says so. Does nothing where all are installed.
set -euo pipefail
packages=(python3 python3-venv curl jq nginx caddy systemd)
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update
  apt-get install -y --no-install-recommends "${missing[@]}"
fi
