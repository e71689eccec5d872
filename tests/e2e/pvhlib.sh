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
audit_is_clean() { pvctl dmesg -c >/dev/null; pvctl debug-keys t && sleep 0.5 && pvctl dmesg | tee "$W/audit" | grep -q 'no difference\|0 differ' || { cat "$W/audit"; return 1; }; }
