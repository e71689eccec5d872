# SPDX-License-Identifier: MIT
# The test guests that run by themselves, and what each needs. Sourced after lib.sh.

# Others want devices or each other, and have tests of their own.
guest_names() {
	local elf g
	for elf in "$O"/guests/*.elf; do
		g=$(basename "$elf" .elf)
		case $g in save-self | blk-* | net-* | p9-* | xfer-* | newborn | fuzz-hv) ;; *) echo "$g" ;; esac
	done
}

# guest_config NAME: a config file, printed path
guest_config() {
	local g=$1 mem=8 vcpus=2 more=
	case $g in
	control-bits | ldt | tsc-aux) more='cpus="0"' ;;
	m2p-race | root-race | type-race) mem=16 ;;
	vcpu-init) mem=${VCPU_INIT_MIB:-32} vcpus=3 ;;
	esac
	printf '%s\n' "name=\"$g\"" "kernel=\"$O/guests/$g.elf\"" "memory=$mem" "vcpus=$vcpus" \
		'on_poweroff="destroy"' 'on_crash="destroy"' "$more" >"$W/$g.cfg"
	echo "$W/$g.cfg"
}

guest_verdict() { console_log "$1" | grep -a '^TEST RESULT:' | tail -n 1; }

# guest_judge NAME [SECONDS [must]]: waits for its end, and says what came of it; must: it has nothing to skip
guest_judge() {
	local g=$1 must=${3:-} verdict
	eventually "${2:-240}" eval "! pvctl domid $g" || { pvctl destroy "$g"; say "guest $g did not end by itself"; }
	verdict=$(guest_verdict "$g")
	case $must$verdict in
	*SUCCESS*) ok "guest $g" ;;
	TEST*SKIP*) skip "guest $g" "${verdict#TEST RESULT: }" ;;
	*)
		not_ok "guest $g: ${verdict:-no verdict}"
		console_log "$g" | tail -n 20 | sed 's/^/#   /'
		pvctl dmesg | tail -n 10 | sed 's/^/#   /'
		;;
	esac
}
