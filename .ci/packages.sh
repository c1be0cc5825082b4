# What the tests need of Debian's packages. Sourced by .ci/run.

# chromium and a font: browser tests; redis-server: several web processes; the headers and compiler: make ollama.
PACKAGES=(
  chromium fonts-dejavu-core redis-server
  g++ git make ca-certificates nlohmann-json3-dev libstb-dev
)

lacking() {
  local name
  for name in "${PACKAGES[@]}"; do
    dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q '^install ok installed$' || echo "$name"
  done
  # A Python that brings its own venv (pyenv, a container image) needs no package for it.
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_missing_packages() {
  local missing as_root=()
  mapfile -t missing < <(lacking)
  if [ "${#missing[@]}" -eq 0 ]; then
    echo "all there"
    return
  fi
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
