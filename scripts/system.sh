#!/usr/bin/env bash
# System packages: install what is missing where we may, else name it exactly. `--tests` adds what only tests need.
# PYTHON names the interpreter that the environment will be made with. Ends with 1 only if nothing can go on without.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin" # ldconfig is not on everybody's path
python="${PYTHON:-python3}"
case "$(uname -s)" in
Darwin) exit 0 ;; # PortAudio, CoreMIDI and PostgreSQL come with the Python packages
Linux) ;;
*) echo "Linux and macOS are supported; this is $(uname -s)."; exit 1 ;;
esac

missing=() needed=() # what makes it less, and what stops it
without=""
libraries=$(ldconfig -p 2>/dev/null || true) # read whole: a reader that leaves early would look like a failure
case "$libraries" in
*libportaudio.so.2*) ;;
*) missing+=(libportaudio2); without="Without libportaudio2 the sound card cannot be used; the page can still play." ;;
esac
if [ ! -e .venv/.ready ]; then # what only making the environment needs
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$python" -c 'import ensurepip, venv' 2>/dev/null || needed+=("python$version-venv")
  if [ "$version" = 3.13 ] && ! .venv/bin/python -c 'import rtmidi' 2>/dev/null; then
    # python-rtmidi has no wheel for 3.13 and is compiled.
    command -v c++ >/dev/null 2>&1 || needed+=(g++)
    command -v pkg-config >/dev/null 2>&1 || needed+=(pkg-config)
    pkg-config --exists alsa 2>/dev/null || needed+=(libasound2-dev)
    pkg-config --exists jack 2>/dev/null || needed+=(libjack-jackd2-dev)
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
      needed+=("python$version-dev")
  fi
fi
if [ "${1:-}" = --tests ]; then
  command -v jackd >/dev/null 2>&1 || missing+=(jackd2)
  command -v ffmpeg >/dev/null 2>&1 || missing+=(ffmpeg)
  command -v chromium >/dev/null 2>&1 || missing+=(chromium)
  command -v oscsend >/dev/null 2>&1 || missing+=(liblo-tools)
  command -v fluidsynth >/dev/null 2>&1 || missing+=(fluidsynth)
  [ -e /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || missing+=(fluid-soundfont-gm)
fi
all=(${missing[@]+"${missing[@]}"} ${needed[@]+"${needed[@]}"})
[ ${#all[@]} -eq 0 ] && exit 0

install() { # "$@" is how to become root: nothing, or sudo
  echo "Installing system packages: ${all[*]} ..."
  "$@" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${all[@]}" >/dev/null
}
if command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then
    install && exit 0
  elif sudo -n true 2>/dev/null; then
    install sudo -n && exit 0
  fi
  echo "System packages are missing. Install them with:"
  echo "  sudo apt-get install -y ${all[*]}"
else
  echo "System packages are missing; these are their Debian names: ${all[*]}. Install them with your package manager."
fi
[ -z "$without" ] || echo "$without"
[ ${#needed[@]} -eq 0 ] && exit 0
echo "Python $version cannot be set up without ${needed[*]}. Another Python is taken with: make run PYTHON=/path/to/python"
exit 1
