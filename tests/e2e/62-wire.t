#!/bin/bash
# SPDX-License-Identifier: MIT
# What a client sends is what it means to: nothing that its heap or its stack happened to hold.
. "$(dirname "$0")/lib.sh"

if ! command -v valgrind >/dev/null; then
	skip "uninitialised bytes" "valgrind is not installed"
	done_testing
	exit
fi
truncate -s 8M "$W/disk.img"
# clean WHAT ARGS...: pvctl does that, and valgrind has nothing to say
clean() {
	local what=$1
	shift
	t "$what" timeout 200 valgrind -q --error-exitcode=99 "$PVCTL" "$@"
}
t "node start" pvctl node start --memory 512
clean create create -q -p "$(config wire "disk=[\"$W/disk.img,raw,xvda,rw\"]")"
clean list list
clean "node info" node info
clean block-list block-list wire
clean info info
clean rename rename wire other
clean unpause unpause other
clean destroy destroy other
t "node stop" pvctl node stop
done_testing
