#!/bin/sh
# Install the programs that jetcore's tests, demo and benchmarks run, where they are missing. As another user than
# root: say which are missing, and fail.
set -eu

# Server programs lie where an ordinary user's PATH does not reach.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

missing=
need() { # PACKAGE PROGRAM
    command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need mariadb-server mariadbd
need mariadb-client mariadb-dump
need restic restic
need borgbackup borg
need rsync rsync
need acl setfacl
need attr setfattr
need libcap2-bin setcap
need passwd useradd
need fuse3 fusermount3
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgresql postgres

[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: these programs are missing; install them with your system's package manager, then try again" >&2
    echo "setup: on Debian, as root: apt-get install$missing" >&2
    exit 1
fi

# What is installed here is run by tests on private ports; it must not start as a service of this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

echo "setup: apt-get install$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086  # a list of words
if apt-get update -q >"$log" 2>&1 && apt-get install -y -q --no-install-recommends $missing >>"$log" 2>&1; then
    rm -f "$log"
else
    tail -n 20 "$log" >&2
    echo "setup: apt-get failed; its output is in $log" >&2
    exit 1
fi
