#!/bin/bash
# SPDX-License-Identifier: MIT
# A hostile 9pfs frontend: it loses its connection or gets errors; the daemon goes on, and no server is left.
. "$(dirname "$0")/lib.sh"

why=
[ -x /usr/sbin/diod ] || command -v diod >/dev/null || why="package diod is not installed"
[ -n "$why" ] || why=$("$O/pvctl-p9" --check "$W" 2>&1)
if [ -n "$why" ]; then
	skip "a hostile frontend" "$why"
	done_testing
	exit
fi
mkdir -p "$W/share"
jailed() { local p; for p in $(pgrep -x diod); do grep -q "$W/share /share " "/proc/$p/mountinfo" 2>/dev/null && return 1; done; true; }
printf '%s\n' 'name="abuse"' "kernel=\"$O/guests/p9-abuse.elf\"" 'memory=16' 'on_poweroff="destroy"' 'on_crash="destroy"' \
	"p9=[\"tag=x,path=$W/share,security_model=none\"]" >"$W/abuse.cfg"
t "node start" pvctl node start --memory 512 --cpus 2
t "create" pvctl create -q "$W/abuse.cfg"
eventually 240 eval "! pvctl domid abuse" || not_ok "the abuse ends by itself"
verdict=$(console_log abuse | grep -a '^TEST RESULT:' | tail -n 1)
case $verdict in *SUCCESS*) ok "errors and disconnections only" ;; *)
	not_ok "the hostile frontend: ${verdict:-no verdict}"
	console_log abuse | tail -n 20 | sed 's/^/#   /' ;;
esac
t "the daemon answers" pvctl list
t "no server is left" eventually 5 jailed
t "it wrote nothing into the share's surroundings" [ "$(ls "$W" | tr '\n' ' ')" = "abuse.cfg run share state " ]
t "node stop" pvctl node stop
done_testing
