# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion for bash. Verbs, their options and arguments are what the program's own --help says, so
# that there is no second list of them. Only what may be typed without quotes is offered as a VM's
# name: a VM is called what somebody else chose.

# _cpuwarden_vms PROGRAM ETC RUN: names of VMs that run, if we may ask and are answered at once, and of
# those that have a file.
_cpuwarden_vms()
{
	local file

	shopt -u failglob
	{
		timeout -k 1 1 "$1" status --json --etc "$2" --run "$3" </dev/null |
			sed -n 's/^ *"name": *"\(.*\)",\{0,1\}$/\1/p'
		for file in "$2"/vms.d/*.conf "$3"/vms.d/*.conf; do
			file=${file##*/}
			[ "$file" = "*.conf" ] || echo "${file%.conf}"
		done
	} 2>/dev/null | LC_ALL=C grep -xE '[[:alnum:]][[:alnum:]._@%+:=,-]*' | LC_ALL=C sort -u
}

# _cpuwarden_help PROGRAM [VERB]: "VERB NAME", "OPTION --NAME[=WHAT]", "ARGS WHAT", a line each.
_cpuwarden_help()
{
	timeout 1 "$@" --help </dev/null 2>/dev/null | sed -nE \
		-e '/^Usage:/s/^Usage: .*\[OPTION\.\.\.\] [^ ]+ ?(.*)/ARGS \1/p' \
		-e 's/^ {2,6}(-., )?(--[a-z0-9-]+(=[A-Z]+)?).*/OPTION \2/p' \
		-e '/^Verbs:/,$s/^  ([a-z]+).*/VERB \1/p'
}

# _cpuwarden_read_words WORD...: what stands before the word at the cursor. Sets verb, n_args, wants
# (the kind of value that is to come), past (there was a --), etc and run.
_cpuwarden_read_words()
{
	local word

	for word; do
		if [ -n "$wants" ]; then
			case $before in
			--etc) etc=$word ;;
			--run) run=$word ;;
			esac
			wants=""
		elif [ "$word" = -- ]; then
			past=1
		elif [[ -z $past && $word == --*=* ]]; then
			case $word in
			--etc=*) etc=${word#*=} ;;
			--run=*) run=${word#*=} ;;
			esac
		elif [[ -z $past && $word == -* ]]; then
			wants=${values[$word]:-}
			before=$word
		elif [ -z "$verb" ]; then
			verb=$word
		else
			n_args=$((n_args + 1))
		fi
	done
}

# _cpuwarden_offer WORD KIND [WORDS]: sets COMPREPLY to what of that kind begins so.
_cpuwarden_offer()
{
	local words=${3:-} how=(-W)

	case $2 in
	VM) words=$(_cpuwarden_vms "$program" "$etc" "$run") ;;
	DIR) how=(-d) ;;
	FILE) how=(-f) ;;
	PROGRAM) how=(-c) ;;
	esac
	[[ ${how[0]} != -[df] ]] || compopt -o filenames
	[[ ${how[0]} != -W ]] || how+=("$words")
	mapfile -t COMPREPLY < <(compgen "${how[@]}" -- "$1")
}

# Called with the program and what is before the cursor since the last of COMP_WORDBREAKS, which may
# be less than the word.
_cpuwarden()
{
	local program=$1 line=${COMP_LINE:0:COMP_POINT} etc=/etc/cpuwarden run=/run/cpuwarden
	local verb="" n_args=0 wants="" before="" past="" args="" verbs="" options="" kind what word cut i
	local IFS=$' \t\n'
	local -a words
	local -A values=()

	COMPREPLY=()
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=("")
	word=${words[-1]}
	while read -r kind what; do
		case $kind in
		VERB) verbs+=" $what" ;;
		OPTION)
			options+=" ${what%%=*}"
			[[ $what != *=* ]] || values[${what%%=*}]=${what#*=}
			;;
		esac
	done < <(_cpuwarden_help "$program")
	_cpuwarden_read_words "${words[@]:1:${#words[@]}-2}"
	if [[ -n $verb && " $verbs " == *" $verb "* ]]; then
		options=""
		while read -r kind what; do
			case $kind in
			ARGS) args=$what ;;
			OPTION) options+=" ${what%%=*}" ;;
			esac
		done < <(_cpuwarden_help "$program" "$verb")
	fi

	if [ -n "$wants" ]; then
		_cpuwarden_offer "$word" "$wants"
	elif [[ -z $past && $word == --*=* ]]; then
		_cpuwarden_offer "${word#*=}" "${values[${word%%=*}]:-}"
		COMPREPLY=("${COMPREPLY[@]/#/${word%%=*}=}")
	elif [[ -z $past && $word == -* ]]; then
		_cpuwarden_offer "$word" WORDS "$options"
	elif [ -z "$verb" ]; then
		_cpuwarden_offer "$word" WORDS "$verbs"
	elif [[ $n_args -eq 0 && $args =~ ^\[?VM ]]; then
		_cpuwarden_offer "$word" VM
	elif [[ -n $past && $args == *PROGRAM* ]]; then
		if [ "$n_args" -eq 1 ]; then
			_cpuwarden_offer "$word" PROGRAM
		else
			_cpuwarden_offer "$word" FILE
		fi
	fi
	# Only what comes after the break is replaced.
	cut=${word%"${2#=}"}
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$cut"}
	done
}

complete -F _cpuwarden cpuwarden
