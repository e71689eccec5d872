# SPDX-License-Identifier: MIT
# TAP for what runs on a clean root.
export DEBIAN_FRONTEND=noninteractive
N=0 BAD=0
t() { # WHAT COMMAND...
	local what=$1 rc=0
	shift
	"$@" >/tmp/t.out 2>&1 </dev/null || rc=$?
	N=$((N + 1))
	[ $rc != 0 ] || { echo "ok $N - $what"; return 0; }
	BAD=$((BAD + 1))
	echo "not ok $N - $what"
	{ echo "exit $rc"; tail -n 30 /tmp/t.out; } | sed 's/^/#   /'
	return 1
}
not() { ! "$@"; }
done_testing() {
	echo "1..$N"
	[ $BAD = 0 ]
	exit
}
