#!/usr/bin/env bash
# Installs and builds what the tests talk to: Cyclone DDS, Fast DDS, mosquitto and its library, Eclipse Paho, Prometheus'
# library, Chromium, curl and OpenSSL (Debian packages, as root), Node-RED 5 with Node 24, and aedes for the bench (npm). The
# results stand in .counterparts/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(cyclonedds-dev cyclonedds-tools libfastrtps-dev libfastcdr-dev mosquitto mosquitto-clients libmosquitto-dev python3-paho-mqtt python3-prometheus-client chromium curl openssl iproute2 gcc g++ make libc6-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  if [ "$(id -u)" != 0 ]; then
    echo "These Debian packages are missing; install them as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  # Debian starts mosquitto when it is installed; the tests start their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

make -s -C test/peers/dds OUT="$PWD/.counterparts/dds"
make -s -C test/peers/fast OUT="$PWD/.counterparts/fast-dds"

if [ ! -e .counterparts/node-red-5/node_modules/node-red/red.js ]; then
  mkdir -p .counterparts/node-red-5
  # node-linux-<arch> is the plain Node binary as a package, without an install script.
  arch=$(node -p process.arch)
  printf '{"private":true}\n' >.counterparts/node-red-5/package.json
  (cd .counterparts/node-red-5 && npm install --ignore-scripts --no-audit --no-fund --no-package-lock node-red@5 "node-linux-$arch@24")
fi

if [ ! -e .counterparts/aedes/node_modules/aedes/aedes.js ]; then
  mkdir -p .counterparts/aedes
  printf '{"private":true}\n' >.counterparts/aedes/package.json
  (cd .counterparts/aedes && npm install --ignore-scripts --no-audit --no-fund --no-package-lock aedes@1)
fi
echo 'The counterparts of the tests are ready.'
