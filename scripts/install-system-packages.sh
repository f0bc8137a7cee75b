#!/usr/bin/env bash
# Debian packages that the repository needs beyond Node 20 and npm. Today there are none: the
# embedded database is Node's own, and nothing needs a browser or a server from outside. The list
# stays here so that CI and the README have one place to name.
set -euo pipefail
packages=()
if [ "${#packages[@]}" -gt 0 ]; then
  apt-get update
  apt-get install -y --no-install-recommends "${packages[@]}"
fi
