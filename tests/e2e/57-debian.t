#!/bin/bash
# SPDX-License-Identifier: MIT
# A whole Debian 12: its own kernel from its own disk, systemd, network, devices that come and go, a module, a reboot.
# Each step of tools/demo-debian is a test; the demo ends at the first that fails.
# alone: systemd gives up on what takes too long.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-debian.sh"

debian_disk
OFFLINE=1 tools/demo-debian >"$W/demo.log" 2>&1
rc=$?
step=
# The last step is the one that failed, or "Time" after all of them.
while IFS= read -r line; do
	[ -z "$step" ] || ok "$step"
	step=$line
done < <(sed -n 's/^.\[1m== \(.*\).\[0m$/\1/p' "$W/demo.log")
if [ $rc -ne 0 ] || [ "$step" != Time ]; then
	not_ok "${step:-the demo starts}"
	tail -n 30 "$W/demo.log" | tr -d '\r\033' | sed 's/^/# /'
fi
done_testing
