#!/bin/bash
# SPDX-License-Identifier: MIT
# What each process of a node runs with, read from /proc and compared with the table in docs/threat-model.md.
. "$(dirname "$0")/lib.sh"

UID1=61236
# as UID COMMAND...: "" is whoever runs this
as() {
	local u=$1
	shift
	if [ -n "$u" ]; then
		(cd / && setpriv --reuid "$u" --regid "$u" --clear-groups --no-new-privs "$@")
	else
		"$@"
	fi
}

# compare KIND PID UID REFERENCE: the rows of the table for that starter, "PROCESS PID" on stdin
compare() {
	python3 - "$@" "$W/processes" docs/threat-model.md <<'PY'
import os, re, sys
starter, uid, listing, doc = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
text = open(doc).read().split('<!-- confined -->')[1]
rows = [[c.strip() for c in l.strip('|').split('|')] for l in text.strip().splitlines() if l.startswith('|')]
rows = rows[:next((i for i, r in enumerate(rows) if len(r) != len(rows[0])), len(rows))]
head, table = rows[0], {(r[0], r[1]): dict(zip(rows[0], r)) for r in rows[2:]}
bad, seen = [], 0
for line in open(listing):
    process, pid = line.split()
    proc, want, got = f'/proc/{pid}', table[process, starter], {}
    status = dict(l.split(':', 1) for l in open(proc + '/status').read().splitlines() if ':' in l)
    uids = {int(u) for u in status['Uid'].split()}
    gids = {int(g) for g in status['Gid'].split()} | {int(g) for g in status['Groups'].split()}
    # The daemon has its parent's, so that one that is started again finds what is its own.
    own = 0x70000000 + int(status['PPid'] if process == 'pvctld' else pid)
    got['uid'] = 'own' if uids == {own} and gids == {own} else 'root' if uids == {0} else 'user' if uids == {uid} else str(uids)
    caps = {n: int(status[n], 16) for n in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')}
    got['capabilities'] = 'none' if not any(caps.values()) else 'some'
    # Those of whoever loads modules, looks into processes, sets the clock and the like: nobody's.
    if any(caps[n] >> c & 1 for n in caps for c in (16, 17, 19, 20, 22, 25, 26, 33, 38, 39, 40)):
        bad.append(f'{process}: capabilities {caps}')
    if process in ('pvctld', 'qemu', 'nbd') and int(status['CapBnd'], 16):
        bad.append(f'{process}: bounding set {status["CapBnd"]}')
    got['no_new_privs'], got['filter'] = status['NoNewPrivs'].strip(), status['Seccomp'].strip()
    for ns in ('net', 'mnt', 'ipc', 'uts'):
        got[ns] = 'host' if os.readlink(f'{proc}/ns/{ns}') == os.readlink(f'/proc/self/ns/{ns}') else 'own'
    here = sorted(os.listdir(proc + '/root'))
    files = [os.path.join(d, f) for d, _, fs in os.walk(proc + '/root') for f in fs] if got['mnt'] == 'own' else []
    state = os.environ['PVCTL_STATE_DIR'] + '/default'
    files = [f for f in files if process != 'pvctld' or not f.startswith(proc + '/root' + state)]
    got['root'] = 'host' if 'proc' in here else 'own' if len(files) <= (4 if process == 'qemu' else 0) else f'{files}'
    got['environment'] = 'empty' if not open(proc + '/environ', 'rb').read().strip(b'\0') else 'not empty'
    for column in head[2:]:
        if got[column] != want[column]:
            bad.append(f'{process} of {starter}: {column} is {got[column]}, and {want[column]} in the table')
    known = r'/dev/null|/memfd:pvctl-(ram|doorbells|store|records|rings)|anon_inode:.*|socket:.*|pipe:.*|.*/(hv|qemu|daemon)\.log|.*/(base|over)\.qcow2'
    known += {'usernet': r'|/etc/resolv\.conf', 'pvctld': r'|.*/u?run/default/lock|.*/console/[^/]*\.log|.*/store\.journal.*',
              'spawner': r'|.*/u?run/default/lock'}.get(process, '')
    for fd in os.listdir(proc + '/fd'):
        to = os.readlink(f'{proc}/fd/{fd}')
        if not re.match(f'^({known})( \\(deleted\\))?$', to):
            bad.append(f'{process}: descriptor {fd} is {to}')
    seen += 1
print('\n'.join(bad))
sys.exit(1 if bad or seen < 2 else 0)
PY
}

# look STARTER UID WHO: the processes of the node as that user
look() {
	local pid
	pid=$(as "$3" "$PVCTL" node info --json | python3 -c 'import json,sys; n=json.load(sys.stdin); print(n["spawner_pid"], n["pid"], n["qemu_pid"])')
	printf 'spawner %s\npvctld %s\nqemu %s\n' $pid >"$W/processes"
	pgrep -P "${pid%% *}" qemu-nbd | sed 's/^/nbd /' >>"$W/processes"
	pgrep -P "${pid%% *}" pvctl-usernet | sed 's/^/usernet /' >>"$W/processes"
	t "$1: all processes are there" [ "$(grep -c . "$W/processes")" -eq "$4" ]
	t "$1: they run with what docs/threat-model.md says" compare "$1" "$2"
}

if ! command -v setpriv >/dev/null || ! unshare -Un true 2>/dev/null; then
	skip "confinement" "this host has no setpriv, or forbids namespaces"
	done_testing
	exit
fi
export SECRET=do-not-tell
NR=4
if command -v qemu-img >/dev/null && command -v qemu-nbd >/dev/null; then
	qemu-img create -q -f qcow2 "$W/base.qcow2" 8M
	qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 "$W/over.qcow2"
	NR=5
fi
disk() { [ $NR -eq 4 ] || echo "disk=[\"$W/over.qcow2,qcow2,xvda\"]"; }
case $(id -u) in
0) me=root ;;
*) me=user ;;
esac
t "a domain with a disk" pvctl create -q -p "$(config one "$(disk)" 'vif=["link=user"]')"
look $me "$(id -u)" "" $NR
t "node info says what is in force" eval "pvctl node info | grep -q '^qemu_confinement.*no network.*system call list' && pvctl node info | grep -q '^daemon_confinement.*own root.*no network.*no capabilities.*system call list.*clean environment'"
t "node stop" pvctl node stop --force

if [ $me != root ]; then
	skip "as an ordinary user" "this is one"
else
	# The build tree may lie where others must not look.
	mkdir "$W/bin" "$W/urun" "$W/ustate"
	cp "$O/pvctl/pvctl" "$O/pvctld/pvctld" "$O"/pvctl-jail{,.so} "$O/pvctl-usernet" "$O/xen-like-hv.elf" "$O/libpvctl.so.0" "$KERNEL" "$RAMDISK" "$W/bin/"
	chmod -R a+rX "$W" && chown $UID1:$UID1 "$W/urun" "$W/ustate" "$W"/*.qcow2 && chmod 700 "$W/urun" "$W/ustate"
	export LD_LIBRARY_PATH=$W/bin PVCTL_RUN_DIR=$W/urun PVCTL_STATE_DIR=$W/ustate XDG_CACHE_HOME=$W/ustate HOME=$W/ustate
	PVCTL=$W/bin/pvctl KERNEL=$W/bin/$(basename "$KERNEL") RAMDISK=$W/bin/$(basename "$RAMDISK")
	f=$(config two "$(disk)" 'vif=["link=user"]')
	chmod 644 "$f"
	t "a user's domain with a disk" as $UID1 "$PVCTL" create -q -p "$f"
	look user $UID1 $UID1 $NR
	t "his node stops" as $UID1 "$PVCTL" node stop --force
fi

# What an escape would try, by a program in QEMU's place. It needs the C library only, which is loaded by then.
if [ -x "$O/tests/e2e/jailed" ]; then
	[ -x "$W/bin/jailed" ] || { mkdir -p "$W/bin" && cp "$O"/pvctl-jail{,.so} "$W/bin/"; }
	cp "$O/tests/e2e/jailed" "$W/bin/" && chmod -R a+rX "$W/bin"
	echo given >"$W/given"
	jailed() { # UID PROFILE
		as "$1" sh -c 'exec "$1/bin/pvctl-jail" "$2" --open 7=/some/name -- "$1/bin/jailed" "$2" /some/name 7<>"$1/given"' sh "$W" "$2"
	}
	users=
	[ $me != root ] || { users=$UID1 && chown $UID1 "$W/given"; }
	for u in "" $users; do
		for p in tcg nbd; do t "as ${u:-$(id -un)} in the jail of profile $p nothing else can be done" jailed "$u" $p; done
	done
else
	skip "escapes" "make e2e-tools"
fi

# Where the host forbids namespaces, it is said, and the rest is in force.
forbidden() {
	unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"' sh "$@"
}
if [ $me = root ] && forbidden true 2>/dev/null; then
	export PVCTL_RUN_DIR=$W/run PVCTL_STATE_DIR=$W/state
	PVCTL=$O/pvctl/pvctl
	t "without namespaces a node starts" forbidden "$PVCTL" node start
	t "and says what it lacks" eval "pvctl node info | grep -q '^qemu_confinement *: no capabilities, system call list'"
	t "it stops" pvctl node stop
else
	skip "no namespaces" "only root can forbid them here"
fi
done_testing
