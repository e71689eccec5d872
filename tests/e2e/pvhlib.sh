# SPDX-License-Identifier: MIT
# For tests of PVH domains, sourced behind lib.sh.

# On a node that cannot, there is nothing to test. It runs.
pvh_or_done() {
	case " $(pvctl info virt_caps) " in *" hvm "*) return ;; esac
	skip "PVH domains" "this node's CPUs offer no SVM with nested paging"
	done_testing
	exit
}
say_in() { { sleep 0.5; printf '%s\n' "$2"; sleep "${3:-2}"; } | timeout 20 "$PVCTL" console "$1" >/dev/null 2>&1; }
# The audit stops all domains and compares all counts; what differs it tells.
audit_is_clean() {
	pvctl dmesg -c >/dev/null
	pvctl debug-keys t && eventually 20 eval "pvctl dmesg | grep -q 'audit:'" && pvctl dmesg | tee "$W/audit" | grep -q ': 0 differ' ||
		{ cat "$W/audit"; return 1; }
}
# as_pvh SCRIPT: another test, its Linux guests as PVH domains, in this one's place.
as_pvh() {
	pvctl node start --memory 64 >/dev/null 2>&1
	pvh_or_done
	pvctl node stop >/dev/null 2>&1
	rm -rf "$W"
	TYPE=pvh exec "tests/e2e/$1"
}
