# SPDX-License-Identifier: MIT
# For tests of a whole Debian, after lib.sh: its disk is $O/debian/base.img, or the test ends here, skipped.
debian_disk() {
	local tool
	for tool in mmdebstrap mke2fs sfdisk debugfs; do
		command -v $tool >/dev/null || { skip "a Debian disk" "$tool is not installed"; done_testing; exit; }
	done
	tools/debian/make-disk "$O/debian/base.img" >"$W/disk.log" 2>&1 && return
	sed 's/^/# /' "$W/disk.log" | tail -n 20
	if grep -qE 'Could not resolve|Temporary failure|Could not connect|Unable to connect' "$W/disk.log"; then
		skip "a Debian disk" "no Debian mirror can be reached"
	else
		not_ok "a Debian disk is made"
	fi
	done_testing
	exit
}
