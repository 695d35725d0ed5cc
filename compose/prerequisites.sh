# Sourced by compose/quickstart and Tests/run: installs what a build needs, and says what and why.
# Nothing is done when everything is there.

say() { printf '%s\n' "$*" >&2; }

# The Debian packages that Errata is built on and runs with, and what each is for.
errata_packages=(
    "librdkafka-dev:Kafka client library and embedded broker"
    "libpq-dev:PostgreSQL client library and pg_config"
    "libssl-dev:SHA-256"
    "libopenblas-dev:matrix products"
    "postgresql:the private database cluster (initdb, postgres)"
)

package_installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# ensure_packages NAME:WHY ...
ensure_packages() {
    local entry name missing=()
    for entry in "$@"; do
        name=${entry%%:*}
        package_installed "$name" || missing+=("$entry")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        say "These packages are missing, and this system has no apt-get to install them with:"
        for entry in "${missing[@]}"; do say "  ${entry%%:*}  (${entry#*:})"; done
        say "Install the equivalents of your system and run this again."
        return 1
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "Missing packages need root: apt-get install ${missing[*]%%:*}"
            return 1
        fi
        as_root=(sudo)
    fi
    say "Installing Debian packages that Errata needs:"
    for entry in "${missing[@]}"; do say "  ${entry%%:*}  (${entry#*:})"; done
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        "${missing[@]%%:*}" >&2
}

# ensure_swift: Swift 6.2 or later on the path.
ensure_swift() {
    local version
    if ! command -v swift >/dev/null; then
        say "No Swift toolchain found. Install Swift 6.2 or later: https://www.swift.org/install/linux/"
        say "(with swiftly: 'swiftly install 6.2 && swiftly use 6.2'), then run this again."
        return 1
    fi
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
    if [ -z "$version" ] || [ "$(printf '%s\n6.2\n' "$version" | sort -V | head -n 1)" != "6.2" ]; then
        say "Swift ${version:-of an unknown version} is too old: Errata needs 6.2 or later."
        say "See https://www.swift.org/install/linux/"
        return 1
    fi
}
