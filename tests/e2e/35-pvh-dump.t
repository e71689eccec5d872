#!/bin/bash
# SPDX-License-Identifier: MIT
# Cores of PVH domains: what is in them, by the guest's own page tables.
. "$(dirname "$0")/lib.sh"
. tests/e2e/pvhlib.sh
core() { python3 tests/e2e/core.py "$@"; }
is_running() { [ "$(pvctl list --json "$1" | python3 -c 'import json,sys; d=json.load(sys.stdin)["domains"][0]; print(d["paused"], d["state"] in ("running", "blocked"))')" = "False True" ]; }

TYPE=pvh
pvctl node start --memory 512 --cpus 2 >/dev/null 2>&1 || not_ok "node start"
pvh_or_done
t "create" pvctl create -q "$(config web 'memory=96' 'vcpus=2' 'on_crash="coredump-destroy"')"
t "it boots" eventually 120 console_has web 'guest-init: up'
t "dump-core" pvctl dump-core web "$W/web.core"
t "registers and the kernel's own page tables lead to its code" core "$W/web.core" linux
t "by guest frame numbers" eval "readelf -S --wide '$W/web.core' | grep -q '\.xen_pfn'"
t "it has all of its memory" eval "core '$W/web.core' | { read -r pages placed vcpus; echo \$pages \$placed \$vcpus; [ \$vcpus -eq 2 ] && [ \$placed -eq \$pages ] && [ \$pages -gt \$((90 * 256)) ] && [ \$pages -le \$((96 * 256)) ]; }"
t "pages of zeroes take no room" eval "[ \$(stat -c %b '$W/web.core') -lt \$((\$(stat -c %s '$W/web.core') / 512)) ]"
t "it goes on" is_running web
t "live, while it gives memory back" eval "pvctl mem-set web 80 && pvctl dump-core -L web '$W/live.core' && core '$W/live.core' linux"
t "of one that is paused" eval "pvctl pause web && pvctl dump-core web '$W/paused.core' && core '$W/paused.core' linux && ! is_running web"
t "unpause" eval "pvctl unpause web && is_running web"
say_in web 'echo c >/proc/sysrq-trigger' 1
t "a crash writes one and ends it" eventually 60 eval "! pvctl domid web"
dump=$(ls "$PVCTL_STATE_DIR"/default/dump/web-*.core)
t "by guest physical address: its kernel is where it was loaded" python3 - "$dump" <<'P'
import struct, sys
with open(sys.argv[1], "rb") as f:
    d = f.read()
at, n = struct.unpack_from("<Q", d, 32)[0], struct.unpack_from("<H", d, 56)[0]
loads = [struct.unpack_from("<IIQQQQQQ", d, at + 56 * i) for i in range(n)]
assert loads[0][4] == 0 and any(p[4] == 0xfeffc000 for p in loads), "no page at 0, or at the store's"
assert 79 << 20 < sum(p[5] for p in loads) <= 96 << 20
assert any(b"Linux version " in d[p[2]:p[2] + p[5]] for p in loads if p[4] < 1 << 27), "no kernel"
P
t "no count of a page is wrong" audit_is_clean
done_testing
