#!/bin/bash
# SPDX-License-Identifier: MIT
# Whoever saves, clones, or makes or uses a template is killed at each step, and so is the daemon: the domain goes on or says why it does not,
# nothing is half there, no file is left that nobody has, and it can be done again.
. "$(dirname "$0")/netlib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/blocklib.sh"

[ -n "${FAULTS:-}" ] || { skip "faults" "all of its steps take a quarter of an hour: make check-faults"; done_testing; exit; }
need_modules "faults" xen-blkfront xen-netfront
command -v qemu-img >/dev/null || { skip "faults" "qemu-utils is not installed"; done_testing; exit; }
export PVCTL_DATA_DIR=$W/data
block_guest
mkdir "$W/d" "$W/fault"
cat >"$W/hook" <<'END2'
#!/bin/bash
# pvctl is at the step $1. FAULT_POINT, FAULT_ACTION: who is to die where, once.
echo "$1" >>"$FAULT_DIR/steps"
[ "$1" = "$FAULT_POINT" ] && [ ! -e "$FAULT_DIR/done" ] || exit 0
echo "$1" >"$FAULT_DIR/done"
case $FAULT_ACTION in
pvctl) kill -9 "$PPID" ;;
int) kill -INT "$PPID" ;;
*) kill -9 "$FAULT_ACTION" ;;
esac
END2
chmod 755 "$W/hook"
export PVCTL_STEP_HOOK=$W/hook FAULT_DIR=$W/fault FAULT_POINT=none FAULT_ACTION=none
# at POINT WHO COMMAND...: pvctl, or the daemon, dies there
at() {
	local point=$1 who=$2 action=$2
	shift 2
	[ "$who" != daemon ] || action=$(pvctl node info --json | field 'd["pid"]') || return 1
	rm -f "$FAULT_DIR/done"
	{ FAULT_POINT=$point FAULT_ACTION=$action timeout 100 "$PVCTL" "$@" >"$W/out" 2>&1; } 2>/dev/null
	[ -e "$FAULT_DIR/done" ] || { not_ok "$1, $point: the step was not made"; sed 's/^/#   /' "$W/out"; return 1; }
	eventually 60 pvctl node info || { not_ok "$1, $point: the node is gone"; return 1; }
}
domains() { pvctl list --json | field '" ".join(sorted(x["name"] for x in d["domains"] if x["domid"]))'; }
only() { eventually 20 is "$(domains)" "$1" || { sleep 3; is "$(domains)" "$1"; }; }
files() { (cd "$1" && find . -type f | sort | tr '\n' ' '); }
why() { not_ok "$1"; sed 's/^/#   /' "$W/out"; tail -n 5 "$PVCTL_STATE_DIR/default/daemon.log" | sed 's/^/#   /'; }
# all_steps COMMAND...: the names of what it comes by
all_steps() {
	rm -f "$FAULT_DIR/steps"
	pvctl "$@" >"$W/out" 2>&1 || { why "$*"; return 1; }
	uniq "$FAULT_DIR/steps" | tr '\n' ' '
}

# ---- clone ----
# What is beside its disk is its own disk and what that is based on.
chain() { qemu-img info -U --backing-chain --output=json "$1" | field '" ".join(sorted("./" + x["filename"].split("/")[-1] for x in d)) + " "'; }
tidy() { # NAME DIR
	is "$(files "$2")" "$(chain "$(target "$1")")"
}
clones() { # NAME DISK DIR [POINT...]
	local name=$1 point who bad=$BAD n=0 steps mine
	t "$name: create" pvctl create -q "$(guest "$name" "$2")" || return 1
	eventually 120 console_has "$name" 'BLOCK 3 ' || { not_ok "$name writes"; return 1; }
	steps=$(all_steps clone "$name" "$name-first")
	pvctl destroy "$name-first"; rm -f "$3/$name-first"-*
	say "$name: steps of a clone: $steps"
	[ -z "${4:-}" ] || steps=$4
	for point in $steps; do
		for who in pvctl daemon; do
			n=$((n + 1))
			at "$point" $who clone "$name" "$name-$n" || continue
			goes_on "$name" || why "$name: death of $who at $point: it does not go on"
			# All of the copy is there, or nothing.
			if pvctl domid "$name-$n" >/dev/null 2>&1; then
				goes_on "$name-$n" || why "$name: death of $who at $point: the copy does not go on"
				pvctl destroy "$name-$n"
				rm -f "$3/$name-$n"-*
				say "$name: death of $who at $point: a copy"
			else
				[ $point != made ] || why "$name: death of $who at $point: no copy"
				say "$name: death of $who at $point: none"
			fi
			# The next one puts in order what is left of this one.
			pvctl clone "$name" "$name-again" >"$W/out" 2>&1 || why "$name: death of $who at $point: no other clone"
			pvctl destroy "$name-again"
			rm -f "$3/$name-again"-*
			only "$name" || why "$name: death of $who at $point: domains: $(domains)"
			tidy "$name" "$3" >"$W/out" || why "$name: death of $who at $point: a file that nobody has"
			[ -z "$(ls -A "$PVCTL_STATE_DIR/default/clones")" ] || why "$name: death of $who at $point: a record is left"
		done
	done
	t "$name: deaths of pvctl and of the daemon at each step of a clone" [ "$BAD" = "$bad" ]
	t "$name: no write fails" no_write_fails "$name"
	mine=$(target "$name")
	pvctl destroy "$name"
	t "$name: its disk has what it told of" whole "$mine" qcow2 "$(last "$name")"
}
mkdir "$W/d/raw" "$W/d/qcow"
truncate -s 16M "$W/d/raw/raw.img"
qemu-img create -q -f qcow2 "$W/d/qcow/disk.qcow2" 16M
t "node" pvctl node start --memory 1536
clones raw "$W/d/raw/raw.img,raw,xvda,w" "$W/d/raw"
clones qcow "$W/d/qcow/disk.qcow2,qcow2,xvda,w" "$W/d/qcow" 'prepared released switched finished'
# The definition is told of an overlay before the domain is.
mkdir "$W/d/def"
truncate -s 16M "$W/d/def/raw.img"
pvctl define "$(guest defd "$W/d/def/raw.img,raw,xvda,w")" >/dev/null
t "start" pvctl start defd
eventually 120 console_has defd 'BLOCK 3 '
at prepared pvctl clone defd defd-copy
t "of one that is defined: it goes on" goes_on defd
pvctl snapshot list defd >/dev/null
t "another" eval "pvctl clone defd defd-other && pvctl destroy defd-other && rm -f '$W/d/def/defd-other'-*"
t "no file is left that nobody has" tidy defd "$W/d/def"
mine=$(target defd)
pvctl destroy defd
t "its definition has its disk" eval "pvctl start defd && [ \$(target defd) = '$mine' ]"
pvctl destroy defd

# ---- save ----
truncate -s 16M "$W/d/def/save.img"
t "create" pvctl create -q "$(guest saved "$W/d/def/save.img,raw,xvda,w")"
eventually 120 console_has saved 'BLOCK 3 '
mkdir "$W/s"
suspended() { pvctl list "$1" | tail -n 1 | grep -q 'ss-'; }
for who in pvctl daemon; do
	at kept $who save saved "$W/s/f"
	if [ $who = pvctl ]; then
		t "save: death of $who before the file's name: it is suspended" suspended saved
		t "the daemon says so" grep -q 'saved) stays suspended' "$PVCTL_STATE_DIR/default/daemon.log"
		t "there is no file" is "$(ls "$W/s")" ""
		t "resume" pvctl resume saved
	fi
	t "save: death of $who: it is there once" eval "suspended saved || goes_on saved"
	pvctl resume saved 2>/dev/null
	rm -f "$W/s/f"
	t "it goes on" goes_on saved
done
at named pvctl save saved "$W/s/f"
t "save: death of pvctl behind the file's name: it is suspended" suspended saved
t "there is the file alone" is "$(ls "$W/s")" f
refused "which is not restored beside it" 6 'has this name already' pvctl restore "$W/s/f"
t "the file is the domain" eval "pvctl destroy saved && pvctl restore '$W/s/f'"
t "it goes on" goes_on saved
echo old >"$W/s/f.pvctl-1.0"
echo own >"$W/s/f.pvctl-x"
t "what another left beside it goes" eval "pvctl save -c saved '$W/s/f' && [ ! -e '$W/s/f.pvctl-1.0' ] && [ -e '$W/s/f.pvctl-x' ]"
pvctl destroy saved

# ---- templates ----
TEMPLATES=$W/data/templates
truncate -s 16M "$W/d/def/t.img"
t "create" pvctl create -q "$(guest orig "$W/d/def/t.img,raw,xvda,w")"
eventually 120 console_has orig 'BLOCK 3 '
steps=$(all_steps template create first --from orig --warm)
say "steps of a template: $steps"
bad=$BAD n=0
for point in $steps; do
	for who in pvctl daemon int; do
		n=$((n + 1))
		[ $who != int ] || case $point in begun | copied | filled) ;; *) continue ;; esac
		at "$point" $who template create t$n --from orig --warm || continue
		goes_on orig || why "template create: death of $who at $point: it does not go on"
		[ $who != int ] || [ -z "$(find "$TEMPLATES" -name '.*')" ] || why "template create: Ctrl-C at $point leaves something"
		pvctl template list >/dev/null || why "list"
		[ -z "$(find "$TEMPLATES" -name '.*')" ] || why "template create: death of $who at $point: something is left"
		if [ -e "$TEMPLATES/t$n" ]; then
			pvctl template verify t$n >"$W/out" 2>&1 || why "template create: death of $who at $point: it is not whole"
			pvctl template delete t$n || why "delete"
		fi
	done
done
t "deaths and Ctrl-C at each step of a template" [ "$BAD" = "$bad" ]
t "no write fails" no_write_fails orig
# What somebody is making stays.
(FAULT_POINT=begun FAULT_ACTION=none; export FAULT_POINT FAULT_ACTION
 printf '#!/bin/sh\n[ "$1" != begun ] || { touch "%s/at"; until [ -e "%s/go" ]; do sleep 0.1; done; }\n' "$W" "$W" >"$W/wait"; chmod 755 "$W/wait"
 PVCTL_STEP_HOOK=$W/wait exec "$PVCTL" template create slow --from orig >"$W/slow" 2>&1) & slow=$!
t "one is being made" eventually 20 test -e "$W/at"
t "another is deleted meanwhile, and all are listed" eval "pvctl template list && pvctl template create more --from orig && pvctl template delete more"
touch "$W/go"
wait $slow
t "the first is made" [ $? = 0 ]
t "and is whole" pvctl template verify slow
pvctl template delete slow
pvctl destroy orig

steps=$(all_steps create --template first name=inst)
say "steps of a domain of a template: $steps"
pvctl destroy inst; pvctl undefine --disks inst
bad=$BAD
for point in $steps; do
	for who in pvctl daemon; do
		at "$point" $who create --template first name=inst || continue
		case $point:$who in
		disks:pvctl) ;;
		disks:daemon) ;;
		*:pvctl) pvctl defined | grep -q '^inst ' || why "create --template: death of $who at $point: not defined" ;;
		esac
		if pvctl domid inst >/dev/null 2>&1; then
			[ -e "$W/data/disks/inst/xvda.qcow2" ] || why "create --template: death of $who at $point: it runs without its disk"
			say "death of $who at $point: it runs"
			pvctl destroy inst
		elif pvctl defined | grep -q '^inst '; then
			say "death of $who at $point: it is defined"
			pvctl start inst >"$W/out" 2>&1 || why "create --template: death of $who at $point: it cannot be started"
			pvctl destroy inst
		else
			say "death of $who at $point: none"
		fi
		pvctl undefine --disks inst >/dev/null 2>&1
		# Once more, with the same name.
		pvctl create --template first name=inst >"$W/out" 2>&1 || why "create --template: death of $who at $point: no other"
		pvctl destroy inst
		pvctl undefine --disks inst >"$W/out" 2>&1 || why "undefine"
		is "$(domains)" "" || why "create --template: death of $who at $point: domains are left"
		[ -z "$(ls -A "$W/data/disks")" ] || why "create --template: death of $who at $point: files are left"
	done
done
t "deaths at each step of a domain of a template" [ "$BAD" = "$bad" ]

t "one to reinstall" pvctl create --template first name=again
steps=$(all_steps reinstall --yes again)
say "steps of a reinstallation: $steps"
bad=$BAD
for point in $steps; do
	for who in pvctl daemon; do
		at "$point" $who reinstall --yes again || continue
		pvctl defined | grep -q '^again ' || why "reinstall: death of $who at $point: not defined"
		if pvctl domid again >/dev/null 2>&1; then
			say "death of $who at $point: it runs"
		else
			[ $who = pvctl ] || grep -q 'pvctl start again' "$W/out" || why "reinstall: death of $who at $point: nobody says why it does not run"
			say "death of $who at $point: it does not run"
			pvctl start again >"$W/out" 2>&1 || why "reinstall: death of $who at $point: it cannot be started"
		fi
		pvctl reinstall --yes again >"$W/out" 2>&1 || why "reinstall: death of $who at $point: not once more"
		is "$(files "$W/data/disks/again")" './template ./xvda.qcow2 ' >"$W/out" || why "reinstall: death of $who at $point: a file is left"
	done
done
t "deaths at each step of a reinstallation" [ "$BAD" = "$bad" ]
# One that nobody has defined, on a disk that is not the template's.
truncate -s 32M "$W/d/def/plain.img"
t "one that is not defined" pvctl create -q "$(guest plain "$W/d/def/plain.img,raw,xvda,w")"
at ended pvctl reinstall --yes -t first plain
t "it does not run, and can be started" eval "! pvctl domid plain && pvctl start plain"
t "reinstall" pvctl reinstall --yes -t first plain
pvctl destroy plain; pvctl undefine plain 2>/dev/null
pvctl destroy again; pvctl undefine --disks again
t "the template is whole" pvctl template verify first
t "and can go" pvctl template delete first
t "the hypervisor's counts are right" eval "pvctl debug-keys t && ! pvctl dmesg | grep -i 'audit.*wrong'"
pvctl node stop --force >/dev/null 2>&1
done_testing
