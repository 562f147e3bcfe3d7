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

# need COMMAND...: says which command is missing rather than failing half-way.
need()
{
	local command

	for command; do
		command -v "$command" >/dev/null ||
			die "the command $command is missing: run tools/prepare"
	done
}

# installed PACKAGE: true if dpkg has it configured.
installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}
