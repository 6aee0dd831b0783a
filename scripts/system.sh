#!/usr/bin/env bash
# System packages: install what is missing where we may, else name it exactly. `--tests` adds what only tests need.
set -euo pipefail
case "$(uname -s)" in
Darwin) exit 0 ;; # PortAudio, CoreMIDI and PostgreSQL come with the Python packages
Linux) ;;
*) echo "Linux and macOS are supported; this is $(uname -s)."; exit 1 ;;
esac

missing=()
ldconfig -p 2>/dev/null | grep -q 'libportaudio\.so\.2' || missing+=(libportaudio2)
if [ "${1:-}" = --tests ]; then
  command -v jackd >/dev/null 2>&1 || missing+=(jackd2)
  command -v ffmpeg >/dev/null 2>&1 || missing+=(ffmpeg)
  command -v chromium >/dev/null 2>&1 || missing+=(chromium)
  command -v oscsend >/dev/null 2>&1 || missing+=(liblo-tools)
  command -v fluidsynth >/dev/null 2>&1 || missing+=(fluidsynth)
  [ -e /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || missing+=(fluid-soundfont-gm)
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null 2>&1; then
  install="apt-get install -y ${missing[*]}"
  if [ "$(id -u)" = 0 ]; then
    echo "Installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null
  elif sudo -n true 2>/dev/null; then
    echo "Installing system packages: ${missing[*]}"
    sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "Missing system packages. Without them there is no sound card. Install them with:"
    echo "  sudo $install"
  fi
else
  echo "Missing system libraries, by their Debian names: ${missing[*]}. Install them with your package manager."
fi
