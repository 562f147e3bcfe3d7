# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tools have in common; sourced, never run.

# shellcheck disable=SC2034 # for those who source this
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034
cache=${CPUWARDEN_CACHE:-$repo/build/cache}
tool=${0##*/}

# Progress and complaints go to standard error: standard output belongs to the result.
say() { printf '%s: %s\n' "$tool" "$*" >&2; }

# fail STATUS TEXT...: says why and ends the tool with this status.
fail()
{
	local status=$1

	shift
	say "$*"
	exit "$status"
}

die() { fail 1 "$@"; }

# duration SECONDS
duration()
{
	if [ "$1" -lt 60 ]; then
		echo "$1 s"
	else
		echo "$(($1 / 60)) min $(($1 % 60)) s"
	fi
}

ticker=""

# tick LOG: how long a step has been at it and what it said last.
tick()
{
	local began=$SECONDS line

	while sleep 1; do
		line=$(tail -n 1 "$1" 2>/dev/null | tr -cd '[:print:]')
		line="  $(duration $((SECONDS - began))): $line"
		printf '\r\033[K%s' "${line:0:79}" >&2
	done
}

# start_ticking LOG: from here on somebody at a terminal sees that it goes on. For anybody else
# there are the plain lines of who calls this.
start_ticking()
{
	[ -t 2 ] && [ "${TERM:-dumb}" != dumb ] || return 0
	tick "$1" &
	ticker=$!
}

# Quietly: bash would report the kill.
stop_ticking()
{
	[ -n "$ticker" ] || return 0
	{
		kill "$ticker"
		wait "$ticker"
	} 2>/dev/null || true
	ticker=""
	printf '\r\033[K' >&2
}

# need COMMAND...: says which command is missing rather than failing half-way.
need()
{
	local command

	for command; do
		command -v "$command" >/dev/null ||
			die "the command $command is missing: run tools/prepare"
	done
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The archive that this machine uses, so that a local mirror works.
archive()
{
	local found

	# shellcheck disable=SC2016 # apt's own placeholder
	found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		sed 's,/*$,,' | grep -m 1 -E '^(https?|file|copy)://.*/debian$' || true)
	echo "${found:-http://deb.debian.org/debian}"
}

# make_root DIR SUITE PACKAGES: a Debian root of that suite with these packages, once. Whole or
# not at all: it is the right one when it says so at last. Whoever comes meanwhile waits.
make_root()
{
	local root=$1 suite=$2 packages=$3 signed="" status=0 lock

	mkdir -p "${root%/*}"
	exec {lock}>"${root%/*}/.${root##*/}.root.lock"
	flock "$lock"
	if [ "$(cat "$root/made-from" 2>/dev/null)" = "$suite $packages" ]; then
		exec {lock}>&-
		return 0
	fi
	say "making a root of Debian's $suite in $root"
	rm -rf "$root"
	mkdir -p "$root"
	[ ! -r "$keyring" ] || signed="[signed-by=$keyring] "
	start_ticking "$root.log"
	mmdebstrap --variant=minbase --include="$packages" "$suite" "$root" \
		"deb $signed$(archive) $suite main" >"$root.log" 2>&1 || status=$?
	stop_ticking
	if [ "$status" -ne 0 ]; then
		tail -n 15 "$root.log" >&2
		die "no root of Debian's $suite could be made"
	fi
	echo "$suite $packages" >"$root/made-from"
	exec {lock}>&-
}

# emulator: QEMU's path, the machine's own or the one that tools/kernels fetched; false if
# neither is fit. Before 8.1 a guest kernel that patches its own code, as each attached BPF
# program makes it do, now and then runs stale code and dies, or QEMU itself does.
emulator()
{
	local path version

	for path in "$(command -v qemu-system-x86_64)" "$cache/qemu/usr/bin/qemu-system-x86_64"; do
		[ -x "$path" ] || continue
		version=$("$path" --version) || continue
		version=${version#*version }
		if printf '8.1\n%s\n' "${version%%[^0-9.]*}" | sort -C -V; then
			echo "$path"
			return
		fi
	done
	return 1
}
