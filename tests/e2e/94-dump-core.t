#!/bin/bash
# SPDX-License-Identifier: MIT
# A core of a domain that goes on: what is in it, by the guest's own page tables, and what becomes of the domain.
. "$(dirname "$0")/lib.sh"
core() { python3 tests/e2e/core.py "$@"; }
is_running() { [ "$(pvctl list --json "$1" | python3 -c 'import json,sys; d=json.load(sys.stdin)["domains"][0]; print(d["paused"], d["state"] in ("running", "blocked"))')" = "False True" ]; }

t "node start" pvctl node start --memory 768
t "create" pvctl create -q "$(config web 'memory=96' 'vcpus=2' 'on_crash="preserve"')"
t "it boots" eventually 120 console_has web 'guest-init: up'
t "dump-core, as quiet as xl's" eval "[ -z \"\$(pvctl dump-core web '$W/web.core' 2>&1)\" ]"
t "readelf reads it" eval "readelf -hS --wide '$W/web.core' | grep -q 'CORE (Core file)' && readelf -S --wide '$W/web.core' | grep -q '\.xen_pages'"
t "registers and the kernel's own page tables lead to its code" core "$W/web.core" linux
t "it has all of its memory" eval "core '$W/web.core' | { read -r pages placed vcpus; echo \$pages \$placed \$vcpus; [ \$vcpus -eq 2 ] && [ \$placed -ge \$((90 * 256)) ] && [ \$pages -le \$((100 * 256)) ]; }"
t "pages of zeroes take no room" eval "[ \$(stat -c %b '$W/web.core') -lt \$((\$(stat -c %s '$W/web.core') / 512)) ]"
t "nobody else may read it" eval "[ \$(stat -c %a '$W/web.core') = 600 ]"
t "it goes on" is_running web
t "live" pvctl dump-core -L web "$W/live.core"
t "is a core as well" core "$W/live.core" linux
t "it goes on" is_running web
t "of one that is paused" eval "pvctl pause web && pvctl dump-core web '$W/paused.core' && core '$W/paused.core' linux && ! is_running web"
# Clocks and the rings of its devices are others' to write.
t "twice it is the same, but for a few pages" eval "pvctl dump-core web '$W/again.core' && [ \$(cmp -l '$W/paused.core' '$W/again.core' | awk '{ p[int(\$1 / 4096)] } END { print length(p) }') -lt 16 ]"
t "unpause" eval "pvctl unpause web && is_running web"

# A pipe that nobody reads: the domain stands still until the writer ends, however it does.
mkfifo "$W/pipe"
dump_into_pipe() {
	exec 7<>"$W/pipe"
	"$PVCTL" dump-core web "$W/pipe" 2>"$W/err" 7>&- &
	writer=$!
	eventually 60 eval "! is_running web"
}
dump_into_pipe
t "it stands still meanwhile" eval "! is_running web"
refused "a second one is told" 1 'somebody else' pvctl dump-core web "$W/second.core"
t "who is killed lets it go on" eval "kill -9 $writer && eventually 60 is_running web"
wait $writer 2>/dev/null
exec 7>&-
dump_into_pipe
kill -INT $writer
wait $writer
t "Ctrl-C ends it" [ $? -eq 1 ]
t "with a word" grep -q 'interrupted; the domain goes on' "$W/err"
t "and it goes on" eventually 60 is_running web
exec 7>&-
t "nothing is left of what failed" [ ! -e "$W/second.core" ]
refused "no room" 1 'No space left' pvctl dump-core web /dev/full
t "it goes on" is_running web

# The daemon dies meanwhile: the next one lets it go on.
info() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$PVCTL_RUN_DIR/default/node.json" "$1"; }
is_another() { [ "$(info pid)" != "$1" ] && kill -0 "$(info pid)" && pvctl list >/dev/null; }
daemon_dies() { # WHERE: by a signal, or restarted on purpose
	local pid
	pid=$(info pid)
	if [ "$1" = killed ]; then kill -9 "$pid"; else pvctl node restart-daemon; fi
	eventually 30 is_another "$pid"
}
for how in killed restarted; do
	dump_into_pipe
	t "it stands still" eval "! is_running web"
	t "the daemon is $how" daemon_dies $how
	t "the domain goes on" eventually 60 is_running web
	exec 7>&-
	wait $writer
	t "the dump has failed" [ $? -ne 0 ]
	t "another one works" eval "pvctl dump-core web '$W/after.core' && core '$W/after.core' linux && is_running web"
done
t "one that somebody else has paused, too" pvctl pause web
exec 7<>"$W/pipe"
"$PVCTL" dump-core web "$W/pipe" 2>"$W/err" 7>&- &
writer=$!
# The writer has written what the pipe holds, so the pause is done.
t "is being dumped" eventually 60 eval '[ "$(timeout 5 head -c 4096 <&7 | wc -c)" -eq 4096 ]'
t "the daemon is killed" daemon_dies killed
t "it is paused still" eval "! is_running web"
exec 7>&-
wait $writer
t "unpaused once it goes on" eval "pvctl unpause web && is_running web"
# Between the pause and the word of it, and between the end of the pause and that: whatever was done, it goes on.
for n in 1 2 3 4 5 6; do
	echo "still-called $n" >"$PVCTL_STATE_DIR/default/die-at"
	daemon_dies killed || { not_ok "another daemon"; break; }
	armed=$(info pid)
	for i in 1 2 3; do pvctl dump-core web "$W/die.core" 2>/dev/null; done
	if ! eventually 30 is_another "$armed"; then not_ok "$n: nobody came there"; break; fi
	if eventually 60 is_running web; then ok "killed at call $n: it goes on"; else not_ok "killed at call $n: it goes on"; break; fi
	sleep 1
done

own=$(pvctl dump-core web)
t "without a file it is where those of crashes are" eval "core '$own' linux && [ '$own' -ef '$PVCTL_STATE_DIR/default/dump/${own##*/}' ]"
t "by a name that the limits count" eval "echo '${own##*/}' | grep -qxE 'web-[0-9]{8}-[0-9]{6}-[0-9]+[.]core'"
[ "$(id -u)" -ne 0 ] || t "which is the daemon's to remove" [ "$(stat -c %u "$own")" -eq "$(stat -c %g "${own%/*}")" ]
t "-R: it is built again" eval "old=\$(pvctl domid web) && pvctl dump-core -R web '$W/reset.core' && core '$W/reset.core' linux && eventually 120 eval '[ \"\$(pvctl domid web)\" != '\$old' ]'"
t "it boots again" eventually 120 eval "is_running web && pvctl vcpu-list web"
t "-C: it has crashed" eval "pvctl dump-core -C web '$W/crash.core' && eventually 60 eval '[ \"\$(pvctl list --format csv -o state,reason web | tail -n 1)\" = shutdown,crash ]'"
t "what has crashed can be dumped" eval "pvctl dump-core web '$W/dead.core' && core '$W/dead.core' linux"
refused "but not crash again" 1 'shut down already' pvctl dump-core -C web "$W/no.core"
refused "both" 2 'one of them' pvctl dump-core -C -R web "$W/no.core"
refused "no such domain" 1 'invalid domain identifier|does not exist' pvctl dump-core nobody "$W/no.core"
refused "the host" 1 'domain 0' pvctl dump-core 0 "$W/no.core"
t "none of these left a file" [ ! -e "$W/no.core" ]
t "node stop" pvctl node stop --force
done_testing
