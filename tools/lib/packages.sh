# shellcheck shell=bash disable=SC2034
# What Pinstripe needs from Debian 12, and a function that installs what is missing. Sourced.

packages_build="build-essential meson ninja-build pkg-config liburing-dev librocksdb-dev liblz4-dev
    libjemalloc-dev libyaml-dev liblzf-dev libxxhash-dev libroaring-dev libpcre2-dev
    zlib1g-dev libzstd-dev"
packages_bench="redis-tools python3"
packages_test="libcriterion-dev redis-tools redis-server python3 python3-redis"

# need_packages NAME...: says what is missing and installs it; returns 1 when that cannot be done.
need_packages() {
    local package missing=() sudo=()

    for package in "$@"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "missing packages, install them as root: apt-get install ${missing[*]}" >&2
            return 1
        }
        sudo=(sudo)
    fi
    echo "installing ${missing[*]}"
    "${sudo[@]}" apt-get -qq update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get -qq -y install --no-install-recommends "${missing[@]}" >/dev/null
}
