# SPDX-License-Identifier: MIT
# For the end-to-end tests: a node of their own in a directory of their own, TAP output.
# A test sources this, calls "t DESCRIPTION COMMAND..." and finishes with "done_testing".
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
O=${O:-build}
case $O in /*) ;; *) O=$PWD/$O ;; esac
PVCTL=$O/pvctl/pvctl
W=$(mktemp -d "${TMPDIR:-/tmp}/pvctl-e2e.XXXXXX")
export PVCTL_RUN_DIR=$W/run PVCTL_STATE_DIR=$W/state XDG_CACHE_HOME=${XDG_CACHE_HOME:-$O/cache}
# What the machine has in its pvctl.conf is no part of what is tested.
export PVCTL_CONF=
export KERNEL=$O/demo/vmlinuz RAMDISK=$O/demo/initrd.gz
mkdir -p "$PVCTL_RUN_DIR" "$PVCTL_STATE_DIR" "$XDG_CACHE_HOME"
N=0 BAD=0

pvctl() { "$PVCTL" "$@"; }
say() { printf '# %s\n' "$*"; }
ok() { N=$((N + 1)); printf 'ok %d - %s\n' $N "$*"; }
not_ok() { N=$((N + 1)); BAD=$((BAD + 1)); printf 'not ok %d - %s\n' $N "$*"; }
skip() { N=$((N + 1)); printf 'ok %d - %s # SKIP %s\n' $N "$1" "$2"; }
# t WHAT COMMAND...: the command succeeds
t() {
	local what=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc -eq 0 ]; then ok "$what"; else not_ok "$what"; printf '%s\n' "exit $rc" "$out" | head -n 40 | sed 's/^/#   /'; fi
	return $rc
}
# refused WHAT EXIT PATTERN COMMAND...: it fails with that exit code ("*": any but 0) and says so on stderr
refused() {
	local what=$1 want=$2 pattern=$3 out rc
	shift 3
	out=$("$@" 2>&1 >/dev/null)
	rc=$?
	if [ $rc -ne 0 ] && { [ "$want" = '*' ] || [ $rc -eq "$want" ]; } && printf '%s' "$out" | grep -qE -- "$pattern"; then
		ok "$what"
	else
		not_ok "$what"
		printf '%s\n' "exit $rc, wanted $want and /$pattern/" "$out" | head -n 20 | sed 's/^/#   /'
	fi
}
# each_death POINTS WHO: "POINT:WHO" for each of both (FAULTS=all); else of each point one, and the next one tomorrow: all of them take long
each_death() {
	local point who p=0 w n
	n=$(wc -w <<<"$2")
	for point in $1; do
		w=0
		for who in $2; do
			[ -z "${FAULTS:-}" ] && [ $(((p + w + DAY) % n)) -ne 0 ] || echo "$point:$who"
			w=$((w + 1))
		done
		p=$((p + 1))
	done
}
# one_in K WORDS: every K-th, tomorrow the next ones; all with FAULTS=all
one_in() {
	local k=$1 i=0 word
	[ -z "${FAULTS:-}" ] || k=1
	for word in $2; do
		[ $(((i + DAY) % k)) -ne 0 ] || echo "$word"
		i=$((i + 1))
	done
}
DAY=${DAY:-$(($(date +%s) / 86400))}
# eventually SECONDS COMMAND...
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
# config NAME [LINE...]: a config file for a Linux guest, printed path; of the type that TYPE names, if any
config() {
	local name=$1 f=$W/$1.cfg
	shift
	printf '%s\n' "name=\"$name\"" "kernel=\"$KERNEL\"" "ramdisk=\"$RAMDISK\"" 'memory=128' 'vcpus=1' \
		'cmdline="console=hvc0 quiet"' ${TYPE:+"type=\"$TYPE\""} "$@" >"$f"
	echo "$f"
}
# The demo guest's ramdisk with what is in $W/root, as $W/initrd.gz
pack_guest() { (cat "$O/demo/initrd.gz"; cd "$W/root" && find . -mindepth 1 | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"; }
# need_modules WHAT MODULE...: of the guest's kernel; else the test is skipped
need_modules() {
	local what=$1 m
	shift
	for m; do
		[ -s "$O/demo/modules/$m.ko" ] && continue
		skip "$what" "there is no $m.ko for the guest's kernel"
		done_testing
		exit
	done
}
console_log() { cat "$PVCTL_STATE_DIR/${2:-default}/console/$1.log"; }
console_has() { console_log "$1" 2>/dev/null | grep -qE -- "$2"; }
# Bytes; fails rather than print nothing, so that a comparison of two cannot hold by accident.
free_bytes() { pvctl info --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["free_bytes"])' || echo "none $RANDOM$RANDOM"; }
free_pages() { free_bytes; }
# Before memory is counted: a domain comes and goes, after which the hypervisor keeps an empty heap page of each size.
warm_up() {
	printf '%s\n' 'name="warm-up"' "kernel=\"$O/guests/version.elf\"" 'memory=16' 'vcpus=2' >"$W/warm-up.cfg"
	pvctl create -q -p "$W/warm-up.cfg" && pvctl destroy warm-up
}
cleanup() {
	local n
	for n in "$PVCTL_RUN_DIR"/*/; do [ -d "$n" ] && pvctl node stop --force "$(basename "$n")" >/dev/null 2>&1; done
	[ $BAD -eq 0 ] && rm -rf "$W"
}
trap cleanup EXIT
done_testing() { echo "1..$N"; [ $BAD -eq 0 ]; }
