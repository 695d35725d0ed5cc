# Sourced by Tests/Compose/run: a Docker engine of its own, from Debian's packages, in a folder of its own.
# shellcheck shell=bash disable=SC2154  # `logs` is run's

# Where this system's own packages of Debian come from: what is made here comes from there, too.
debian_site() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' | head -n 1; }

# install_tools FOLDER: the programs of the engine that the running Debian lacks or has too old, taken out of Debian 13's
# packages into a folder; what a service needs of the system comes from its own Debian.
install_tools() {
    local folder=$1 apt package
    export DEBIAN_FRONTEND=noninteractive
    step "Packages of this system: containerd, runc, iptables, mmdebstrap"
    apt-get update -q >"$logs/apt.log" 2>&1
    apt-get install -q -y --no-install-recommends \
        containerd runc iptables mmdebstrap arch-test ca-certificates iproute2 util-linux gcc librdkafka-dev \
        >>"$logs/apt.log" 2>&1
    if [ -x "$folder/usr/sbin/dockerd" ] && [ -x "$folder/usr/libexec/docker/cli-plugins/docker-compose" ] \
        && [ -x "$folder/usr/bin/docker-init" ]; then return; fi
    step "Docker engine, command line, buildx and compose from Debian 13"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_site) trixie main" \
        >"$folder/apt/sources.list"
    apt=(-q -o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$folder/apt/lists" -o "Dir::Cache::archives=$folder/apt/archives"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update >>"$logs/apt.log" 2>&1
    # docker.io's docker-init, the init of the containers that ask for one, is a link into tini.
    for package in docker.io docker-cli docker-buildx docker-compose tini; do
        (cd "$folder/apt/archives" && apt-get "${apt[@]}" download "$package") >>"$logs/apt.log" 2>&1
        dpkg-deb -x "$folder/apt/archives/${package}"_*.deb "$folder"
    done
}

# engine_environment FOLDER: the command line, with its plugins and settings from there and nowhere else.
engine_environment() {
    local folder=$1
    export PATH="$folder/tools/usr/bin:$folder/tools/usr/sbin:$PATH"
    export DOCKER_HOST="unix://$folder/docker.sock" DOCKER_CONFIG="$folder/config"
    mkdir -p "$DOCKER_CONFIG"
    printf '{"cliPluginsExtraDirs": ["%s"]}\n' "$folder/tools/usr/libexec/docker/cli-plugins" >"$DOCKER_CONFIG/config.json"
}

# The control group of the containers of an engine that stays aside (version 1; elsewhere they have an ordinary share).
aside_group=/sys/fs/cgroup/cpu/errata-aside

# stay_aside: the containers of an engine that is started later take the processor time that others leave.
stay_aside() {
    [ -d "$(dirname "$aside_group")" ] || return 0
    # Idle, or, before Linux 5.15, with the smallest share.
    if mkdir -p "$aside_group" && { echo 1 >"$aside_group/cpu.idle" || echo 2 >"$aside_group/cpu.shares"; }; then
        DOCKERD_FLAGS="${DOCKERD_FLAGS:-} --cgroup-parent=/$(basename "$aside_group")"
    fi 2>/dev/null
}

# start_engine FOLDER: returns once it answers; fails with its last words where it does not.
start_engine() {
    local folder=$1 pid
    # What the engine changes of the machine is put back by stop_engine.
    iptables-save >"$folder/iptables.before" 2>/dev/null || true
    cat /proc/sys/net/ipv4/ip_forward >"$folder/ip_forward.before"
    step "Starting the engine"
    # shellcheck disable=SC2086  # DOCKERD_FLAGS holds several
    dockerd --host "$DOCKER_HOST" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" \
        --config-file "$folder/daemon.json" ${DOCKERD_FLAGS:-} >"$logs/dockerd.log" 2>&1 &
    pid=$!
    for _ in $(seq 60); do
        if docker version >/dev/null 2>&1; then return 0; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 1
    done
    say "The engine does not start. The last lines of $logs/dockerd.log:"
    tail -n 15 "$logs/dockerd.log" >&2
    return 1
}

# stop_engine FOLDER: ends the engine by its process id, and takes back what it left on the machine. Never fails.
stop_engine() {
    local folder=$1 pid mount
    if [ -s "$folder/docker.pid" ]; then
        pid=$(cat "$folder/docker.pid")
        kill -TERM "$pid" 2>/dev/null || true
        for _ in $(seq 60); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.5
        done
        kill -KILL "$pid" 2>/dev/null || true
    fi
    # Its own containerd, where the engine could not take it along.
    pid=$folder/exec/containerd/containerd.pid
    [ ! -s "$pid" ] || kill -TERM "$(cat "$pid")" 2>/dev/null || true
    while read -r mount; do umount -l "$mount" 2>/dev/null || true; done \
        < <(awk -v folder="$folder/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
    # A build that was cut off may have left processes; only such are in the group.
    for _ in $(seq 60); do
        [ -d "$aside_group" ] || break
        while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done \
            < <(find "$aside_group" -name cgroup.procs -exec cat {} + 2>/dev/null)
        find /sys/fs/cgroup/*/"$(basename "$aside_group")" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.5
    done
    ip link delete docker0 2>/dev/null || true
    if [ -s "$folder/iptables.before" ]; then iptables-restore <"$folder/iptables.before" 2>/dev/null || true; fi
    if [ -s "$folder/ip_forward.before" ]; then
        cat "$folder/ip_forward.before" >/proc/sys/net/ipv4/ip_forward 2>/dev/null || true
    fi
}
