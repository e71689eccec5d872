# SPDX-License-Identifier: MIT
# For the scripts of this folder, which are run from wherever: sourced first.
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build}
n=0 bad=0
t() { # WHAT COMMAND...: what it prints is shown when it fails
	n=$((n + 1))
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then echo "ok $n - $what"; else echo "not ok $n - $what"; printf '%s\n' "$out" | head -n 20 | sed 's/^/#   /'; bad=1; fi
}
skip() { # WHAT WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
done_testing() {
	echo "1..$n"
	exit $bad
}
