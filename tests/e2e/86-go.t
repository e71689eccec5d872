#!/bin/bash
# SPDX-License-Identifier: MIT
# The Go binding on two real nodes: its own suite under the race detector, its examples, vet and gofmt.
# EVENTS=1000 ROUNDS=1000 for more of each.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-block.sh"
. "$(dirname "$0")/lib-bindings.sh"

command -v go >/dev/null || { skip "Go" "there is no Go compiler: tools/install-deps bindings"; done_testing; exit; }
export GOCACHE=${GOCACHE:-$O/cache/go} GOFLAGS=-mod=mod GOPROXY=off GOPATH=$W/go
cd bindings/go || exit 1
t "gofmt has nothing to say" [ -z "$(gofmt -l .)" ]
t "nor has vet" go vet ./...
# Debian has given it another name.
staticcheck=$(command -v staticcheck || command -v go-staticcheck)
if [ -n "$staticcheck" ]; then
	t "nor has staticcheck" "$staticcheck" ./...
else
	skip "staticcheck" "there is no staticcheck (go-staticcheck): tools/install-deps bindings"
fi
t "it builds" go test -race -c -o "$W/suite" .
t "its examples build" go build -o "$W/" ./examples/...
mkdir -p "$W/static"
t "with the static library, too" go build -tags pvctl_static -o "$W/static/" ./examples/...
t "which is in them then" not_shared "$W/static/balancer"

# Each test of the suite is one here.
block_guest || RAMDISK=
export O RAMDISK
timeout 500 "$W/suite" -test.v >"$W/out" 2>&1
suite_rc=$?
while read -r verdict name; do
	case $verdict in
	PASS) ok "$name" ;;
	SKIP) skip "$name" "$(grep -A 3 -- "--- SKIP: $name " "$W/out" | sed -n 's/.*_test.go:[0-9]*: //p' | head -n 1)" ;;
	*) not_ok "$name" ;;
	esac
done < <(sed -n 's/^--- \(PASS\|FAIL\|SKIP\): \([^ ]*\).*/\1 \2/p' "$W/out")
t "the suite as a whole" [ $suite_rc -eq 0 ]
t "no race" eval "! grep -q 'DATA RACE' '$W/out'"
[ $suite_rc -eq 0 ] || sed 's/^/#   /' "$W/out" | tail -n 60

binding_examples "$W/create_and_watch" "$W/static/supervisor" "$W/static/balancer"
done_testing
