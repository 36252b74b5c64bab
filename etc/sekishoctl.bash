# bash completion for sekishoctl(8)                        -*- shell-script -*-
#
# Verbs, options and, where one is wanted, the names of milters: those of the
# running server, else those of the settings.

# What was given so far that says where the server or its settings are.
_sekishoctl_where() {
	local i
	where=()
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | -s | --socket)
			[[ ${COMP_WORDS[1]} == ping ]] && continue
			# ":" is a word of its own for bash: "unix:/path".
			if [[ ${COMP_WORDS[i + 2]-} == : ]]; then
				where+=("${COMP_WORDS[i]}"
					"${COMP_WORDS[i + 1]}:${COMP_WORDS[i + 3]-}")
			else
				where+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
			fi
			;;
		esac
	done
}

_sekishoctl_milters() {
	local ctl=${COMP_WORDS[0]} where names
	_sekishoctl_where
	names=$("$ctl" numbers -t 1 "${where[@]}" 2>/dev/null |
		sed -n 's/^mode \([^ ]*\) .*/\1/p')
	[[ $names ]] || names=$("$ctl" config "${where[@]}" 2>/dev/null |
		sed -n 's/^\[milter \(.*\)\]$/\1/p')
	printf '%s\n' "$names"
}

_sekishoctl_options() { # VERB
	local ask="-c --config -s --socket -t --timeout -j --json"
	case $1 in
	check) echo "-c --config -t --timeout --online" ;;
	config) echo "$ask -b --builtin -n --changed -r --running" ;;
	explain)
		echo "-c --config --client --name --port --daemon --helo --tls" \
			"--from --arg --auth --rcpt --queue-id --macro --at" \
			"--load --sessions --age --milter --of --json"
		;;
	ping) echo "--config -w --warning -c --critical -t --timeout" ;;
	report) echo "$ask --since --csv" ;;
	top) echo "-c --config -s --socket -t --timeout -i --interval" \
		"-n --count -1 --once" ;;
	*) echo "$ask" ;;
	esac
}

# Words behind the verb that are no options, those before the cursor.
_sekishoctl_arguments() {
	local i
	arguments=()
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | -s | --socket | -t | --timeout)
			((i++))
			[[ ${COMP_WORDS[i + 1]-} == : ]] && ((i += 2))
			;;
		-*) ;;
		*) arguments+=("${COMP_WORDS[i]}") ;;
		esac
	done
}

_sekishoctl_words() { # VERB: what may stand here beside options
	local arguments
	_sekishoctl_arguments
	case $1:${#arguments[@]} in
	milter:0 | off:0 | on:0 | evaluate:0 | percent:0 | default:0)
		_sekishoctl_milters
		;;
	off:1 | on:1 | evaluate:1 | percent:2) echo for ;;
	off:2 | on:2 | evaluate:2 | percent:3) echo 15m 1h 8h 1d ;;
	percent:1) echo 1 5 10 25 50 ;;
	numbers:0) echo since ;;
	numbers:1) echo 5m 15m 1h 1d ;;
	esac
}

_sekishoctl() {
	local verbs="status milters milter workers top why report metrics
		numbers off on evaluate percent default reload reopen upgrade
		drain check config explain ping"
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]-}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W \
			"$verbs --help --version" -- "$cur")
		return
	fi
	case $verb$prev in
	ping-c) return ;;
	*-c | *--config | report--since)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	*-s | *--socket | *-t | *--timeout | *-w | *--warning | \
		*--critical | *-i | *--interval | top-n | *--count) return ;;
	explain--of | explain--milter)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_sekishoctl_milters)" -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_sekishoctl_options "$verb")" -- "$cur")
	elif [[ $verb == explain ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_sekishoctl_words "$verb")" -- "$cur")
	fi
}

complete -F _sekishoctl sekishoctl
