#!/bin/bash
# SPDX-License-Identifier: MIT
# What programs rely on has not changed; what was added is recorded:
# tools/abi libpvctl/include/libpvctl.h build/libpvctl.so.0 > libpvctl/libpvctl.abi
. "$(dirname "$0")/lib.sh"
H=libpvctl/include/libpvctl.h
T=$(mktemp -d "${TMPDIR:-/tmp}/pvctl-abi.XXXXXX")
trap 'rm -rf "$T"' EXIT
differs() { # the check sees it: SED of the header
	sed "$1" $H >"$T/changed.h"
	! cmp -s $H "$T/changed.h" && ! tools/abi "$T/changed.h" "$O/libpvctl.so.0" libpvctl/libpvctl.abi
}
t "the ABI is the recorded one" tools/abi $H "$O/libpvctl.so.0" libpvctl/libpvctl.abi
t "a member moved is seen" differs 's/uint32_t vcpus_online, vcpus_max;/uint32_t vcpus_max, vcpus_online;/'
t "a size left out is seen" differs '/^struct pvctl_vif_info {/,/};/{/size_t size;/d}'
t "another number is seen" differs 's/PVCTL_EVENT_PAUSED = 8/PVCTL_EVENT_PAUSED = 9/'
done_testing
