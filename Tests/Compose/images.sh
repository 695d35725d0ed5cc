# Sourced by Tests/Compose/run: the base images that compose.yaml and the Dockerfile name, made without a registry.
# shellcheck shell=bash disable=SC2154  # `logs`, `here` and `folder` are run's

# What this machine's apt is told of dates and proxies holds in the images too.
apt_options() {
    local key value
    for key in Acquire::Check-Valid-Until Acquire::Check-Date Acquire::http::Proxy; do
        value=$(apt-config dump --format '%v' "$key")
        [ -z "$value" ] || printf '%s\n' "--aptopt=$key \"$value\""
    done
}

# has_image NAME
has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# import_debian IMAGE SUITE PACKAGES ARGUMENT_OF_IMPORT...
import_debian() {
    local image=$1 suite=$2 packages=$3 options
    shift 3
    if has_image "$image"; then return; fi
    step "Image $image from Debian $suite"
    mapfile -t options < <(apt_options)
    # shellcheck disable=SC2016  # mmdebstrap's shell expands it
    mmdebstrap --variant=minbase ${packages:+--include="$packages"} "${options[@]}" \
        --customize-hook='rm -rf "$1"/var/lib/postgresql/* "$1"/etc/resolv.conf' \
        "$suite" - "deb $(debian_site) $suite main" 2>"$logs/mmdebstrap-$suite.log" \
        | docker import "$@" - "$image" >/dev/null
}

make_debian_image() { import_debian debian:bookworm-slim bookworm "" --change 'CMD ["bash"]'; }

# PostgreSQL's own tag over Debian 13's PostgreSQL 17.
make_postgres_image() {
    local image=$1
    if has_image "$image"; then return; fi
    import_debian errata-test/postgres-base trixie postgresql-17
    docker build -q -t "$image" -f - "$here" >>"$logs/images.log" 2>&1 <<'DOCKERFILE'
FROM errata-test/postgres-base
ENV PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
COPY --chmod=0755 postgres-entrypoint /usr/local/bin/docker-entrypoint.sh
RUN install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data \
    && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
DOCKERFILE
}

# The Swift image: Debian with what a toolchain needs, and the one that is installed here. Where git takes GitHub's
# repositories from a folder of this machine, it does so in the image, too.
make_swift_image() {
    local image=$1 toolchain mirror packages
    if has_image "$image"; then return; fi
    toolchain=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")")
    [ -x "$toolchain/usr/bin/swift" ] || { say "no toolchain in $toolchain"; return 1; }
    packages=binutils,git,gcc,libc6-dev,libstdc++-12-dev,libgcc-12-dev,libcurl4-openssl-dev,libedit2,libncurses6
    packages+=,libpython3-dev,libsqlite3-0,libxml2-dev,libz3-4,pkg-config,tzdata,zlib1g-dev,unzip,ca-certificates,gnupg
    import_debian errata-test/swift-base bookworm "$packages"
    mirror=$(git config --get-regexp '^url\./.*\.insteadof$' 'https://github.com/' \
        | sed -n 's/^url\.\(.*\)\.insteadof .*/\1/p' | head -n 1)
    step "Image $image with the toolchain in $toolchain${mirror:+ and the repositories in $mirror}"
    mkdir -p "$folder/no-mirror"
    docker buildx build -q --load -t "$image" --build-context toolchain="$toolchain" \
        --build-context mirror="${mirror:-$folder/no-mirror}" --build-arg MIRROR="${mirror:-}" -f - "$here" \
        >>"$logs/images.log" 2>&1 <<'DOCKERFILE'
FROM errata-test/swift-base
COPY --from=toolchain . /opt/swift
ARG MIRROR
COPY --from=mirror . /opt/mirror
RUN if [ -n "$MIRROR" ]; then \
        git config --system url./opt/mirror/.insteadOf https://github.com/ \
        && git config --system --add safe.directory '*'; \
    fi
ENV PATH=/opt/swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DOCKERFILE
}
