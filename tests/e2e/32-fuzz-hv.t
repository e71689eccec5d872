#!/bin/bash
# SPDX-License-Identifier: MIT
# Hypercalls at random on real page tables (tests/guests/fuzz-hv), beside a neighbour whose memory is checked; and
# all counts against a walk of all tables (debug key t), while it goes on, after it, and without it.
# FUZZ_SECONDS: that long, with seeds of the clock's. FUZZ_SEEDS: these. Seeds choose what a run keeps to (main.c, wild.c).
. "$(dirname "$0")/lib.sh"

turn=${FUZZ_TURN:-5} total=0
if [ -n "${FUZZ_SEEDS:-}" ]; then
	read -ra seeds <<<"$FUZZ_SEEDS"
elif [ -n "${FUZZ_SECONDS:-}" ]; then
	turn=${FUZZ_TURN:-20}
	[ "$turn" -le "$FUZZ_SECONDS" ] || turn=$FUZZ_SECONDS
	seeds=()
else
	seeds=(2 35 5 44)
fi

hv_log() { cat "$PVCTL_STATE_DIR/default/hv.log"; }
differing() { hv_log | grep -a 'audit:' | grep -av ': 0 differ'; }
audits() { hv_log | grep -ac ': 0 differ'; }
audit() {
	local before
	before=$(audits)
	pvctl debug-keys t && eventually 10 eval "[ \$(audits) -gt $before ]"
}
field() { console_log fuzz | sed -n "s/.*fuzz-hv: seed $1: \\([0-9]*\\) operations.*/\\1/p"; }
verdict_of() { console_log "$1" | grep -a '^TEST RESULT:' | tail -n 1; }
domain() {
	printf '%s\n' "name=\"$1\"" "kernel=\"$O/guests/fuzz-hv.elf\"" 'on_poweroff="preserve"' 'on_crash="preserve"' "${@:2}" >"$W/$1.cfg"
	pvctl create -q "$W/$1.cfg"
}

# one SEED PLACE: the vCPUs on CPU 0 alone are faster by far, on both they race
one() {
	local seed=$1 end cpus=$2 ops
	rm -f "$PVCTL_STATE_DIR"/default/console/*.log
	t "seed $seed, CPUs $cpus: a neighbour" domain innocent memory=8 vcpus=1 "cmdline=\"neighbour=1 secs=$((turn + 2))\""
	eventually 10 console_has innocent 'neighbour: ready'
	t "seed $seed: the fuzzer" domain fuzz memory=16 vcpus=8 "cpus=\"$cpus\"" "cmdline=\"seed=$seed secs=$turn\""
	end=$((SECONDS + turn * 3 + 60))
	until console_has fuzz '^TEST RESULT' || [ $SECONDS -gt $end ]; do
		sleep 1
		pvctl debug-keys t || break
	done
	case $(verdict_of fuzz) in
	*SUCCESS*) ok "seed $seed: nothing found" ;;
	*) not_ok "seed $seed: $(verdict_of fuzz)"; console_log fuzz | tail -n 20 | sed 's/^/#   /' ;;
	esac
	ops=$(field "$seed")
	total=$((total + ${ops:-0}))
	say "seed $seed, CPUs $cpus: ${ops:-no} operations"
	t "seed $seed: the counts agree with the tables" audit
	t "seed $seed: the fuzzer goes, whatever it left" pvctl destroy fuzz
	eventually $((turn + 20)) console_has innocent '^TEST RESULT'
	t "seed $seed: the neighbour saw nothing" console_has innocent '^TEST RESULT: SUCCESS'
	t "seed $seed: it goes, too" pvctl destroy innocent
	t "seed $seed: the counts agree without them" audit
}

# More than a GiB: the audit must not walk all tables again for each.
t "node start" pvctl node start --memory 1536 --cpus 2
places=('0' '0' '0-1' '0-1') n=0
begin=$SECONDS
while [ "$BAD" -eq 0 ]; do
	if [ ${#seeds[@]} -gt 0 ]; then
		[ $n -lt ${#seeds[@]} ] || break
		seed=${seeds[$n]}
	else
		[ $((SECONDS - begin)) -lt "$FUZZ_SECONDS" ] || break
		# Even, odd, even, odd: both kinds on both kinds of places.
		seed=$(((RANDOM << 15 | RANDOM) & ~1 | (n & 1)))
	fi
	one "$seed" "${places[n % 4]}"
	# From then on: the hypervisor keeps an empty heap page of each size that was ever asked for.
	[ $n -gt 0 ] || free0=$(free_pages)
	n=$((n + 1))
done
say "$total operations in all"
t "each audit walked all tables once" eval "hv_log | grep -aq 'audit:.*passes: 1)' && ! hv_log | grep -a 'audit:.*passes' | grep -av 'passes: 1)'"
if [ -z "${FUZZ_SECONDS:-}${FUZZ_SEEDS:-}" ]; then
	t "a Linux guest" pvctl create -q "$(config linux)"
	for n in 1 2 3 4 5; do
		t "the counts agree with the tables of one that boots, $n" audit
		sleep 0.5
	done
	t "it goes" pvctl destroy linux
	t "the counts agree without it" audit
fi
t "no count differed from the tables at any time" eval '! differing'
t "the hypervisor is well" eval "pvctl info total_memory && ! hv_log | grep -aE 'BUG|panic|crashed'"
say "free memory: $free0 bytes after the first turn, $(free_pages) at the end"
t "no memory is lost" eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"
done_testing
