#!/bin/bash
# SPDX-License-Identifier: MIT
# What programs parse of pvctl's output, and how it takes its arguments.
. "$(dirname "$0")/lib.sh"
json() { "$@" | python3 -c 'import json,sys; json.load(sys.stdin)'; }
has() { # the JSON of COMMAND... satisfies the Python expression EXPR over d
	local expr=$1
	shift
	"$@" | python3 -c "import json,sys; d=json.load(sys.stdin); sys.exit(not ($expr))"
}
tab=$(printf '\t')

t "node start" pvctl node start --memory 512
for n in web db; do t "create $n" pvctl create -q -p "$(config $n 'memory=72' 'maxmem=80' 'vcpus=2' 'maxvcpus=3' 'cpus=["0","all","0"]')"; done
web=$(pvctl domid web)

# As `seq -w' prints it: an octal one would be another domain, or none.
t "a number with zeros in front is the same number" [ "$(pvctl domname "000$web")" = web ]
t "and not octal" eval "pvctl domname 08 2>&1 | grep -q 'Can.t get domain name of domain id .8'"
t "nor is a name hexadecimal" eval "pvctl rename web 0x2 && timeout 5 $PVCTL wait 0x2 --for running --timeout 0.5; [ \$? -eq 3 ] && pvctl rename 0x2 web"

# The tables, to the byte.
pvctl list >"$W/list"
t "list: the header" [ "$(head -n 1 "$W/list")" = "Name                                        ID   Mem VCPUs${tab}State${tab}Time(s)" ]
t "list: Domain-0 comes first" eval "sed -n 2p '$W/list' | grep -qE '^Domain-0 {32} {5}0 .*r-----'"
t "list: a row" eval "grep -qE '^web {37} {5}$web    72     1     --p---       0\.0\$' '$W/list'"
t "list of one" eval "[ \$(pvctl list db | wc -l) -eq 2 ]"
t "list -v adds the UUID" eval "pvctl list -v | grep -qE '^web .* [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} +- '"
pvctl vm-list >"$W/vms"
t "vm-list: the header" [ "$(head -n 1 "$W/vms")" = "UUID                                  ID    name" ]
t "vm-list: a row" eval "grep -qE '^[0-9a-f-]{36}  $web    web {27}\$' '$W/vms'"
pvctl vcpu-list >"$W/vcpus"
t "vcpu-list: the header" [ "$(head -n 1 "$W/vcpus")" = "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)" ]
t "vcpu-list: a vCPU" eval "grep -qE '^web {29} {5}$web     0 +[0-9]+   .{3} +0\.0 0 / all\$' '$W/vcpus'"
t "vcpu-list: three of web" eval "[ \$(grep -c '^web ' '$W/vcpus') -eq 3 ]"
t "vcpu-list: domain 0 has none" eval "! grep -q '^Domain-0' '$W/vcpus' && [ \$(pvctl vcpu-list 0 | wc -l) -eq 1 ]"
pvctl uptime >"$W/up"
t "uptime: the header" [ "$(head -n 1 "$W/up")" = "Name                                ID Uptime" ]
t "uptime: a row" eval "grep -qE '^web {30} {4}$web  0:0[0-9]:[0-9]{2}\$' '$W/up'"
t "uptime -s" eval "pvctl uptime -s web | grep -qE '^ [0-9]{2}:[0-9]{2}:[0-9]{2} up  0:0[0-9], web \\($web\\)\$'"
pvctl info >"$W/info"
t "info: NAME, a colon at column 24, the value" eval "! grep -vE '^[a-z_]+ *: ' '$W/info' | grep . && ! grep -vE '^.{23}: ' '$W/info' | grep ."
t "info has what xl's has" eval "for f in host release machine nr_cpus cpu_mhz total_memory free_memory xen_major xen_version xen_caps xen_pagesize xen_commandline; do grep -q \"^\$f *:\" '$W/info' || { echo \$f; exit 1; }; done"
t "info FIELD is the value alone" eval "pvctl info free_memory | grep -qxE '[0-9]+'"

# JSON.
for c in "list" "vm-list" "vcpu-list" "uptime" "info" "node list" "node info" "config keys"; do
	# shellcheck disable=SC2086
	t "$c --json has a schema" has 'd["schema"] == 1' pvctl $c --json
done
t "list --json" has '[(x["name"], x["domid"], x["state"], x["reason"], x["memory_bytes"], x["max_memory_bytes"], x["vcpus_online"], x["vcpus_max"]) for x in d["domains"] if x["name"] == "web"] == [("web", '"$web"', "paused", None, 72 << 20, 72 << 20, 1, 3)]' pvctl list --json
t "domain 0's numbers make sense" has 'd["domains"][0]["domid"] == 0 and d["domains"][0]["max_memory_bytes"] < 1 << 50' pvctl list --json
t "list -l is an array as xl's" has 'isinstance(d, list) and [x["config"]["name"] for x in d if x["domid"]] == ["web", "db"] and all("domid" in x and "state" in x for x in d)' pvctl list -l
t "list -l has names where libxl has them" has '[x["config"]["c_info"]["name"] for x in d] == ["Domain-0", "web", "db"]' pvctl list -l
t "create --dryrun, too" has 'd["c_info"]["name"] == "dry" and d["b_info"]["target_memkb"] == 99 << 10' pvctl create --quiet --dryrun --defconfig "$(config dry)" memory=99
t "with what libxl has of CPUs, pinning, limits and clocks" has 'd["b_info"]["cpuid"] == [{"leaf": 1, "ecx": "x" * 6 + "0" + "x" * 4 + "0" + "x" * 20, "edx": "x" * 6 + "0" + "x" * 25},
	{"leaf": 7, "subleaf": 0, "ebx": "x" * 26 + "0" + "x" * 5}] and d["b_info"]["vcpu_hard_affinity"] == [[0], [1, 2]] and d["b_info"]["vcpu_soft_affinity"] == [[3], [3]] and
	d["b_info"]["sched_params"] == {"weight": 300, "cap": 50} and d["b_info"]["max_grant_frames"] == 32 and d["b_info"]["localtime"] == "True" and d["b_info"]["disable_migrate"] == "True" and
	d["b_info"]["event_channels"] == 100 and d["b_info"]["bootloader_args"] == ["--entry=1"] and d["b_info"]["cmdline"] == "root=/dev/xvda1 ro"' \
	pvctl create -q -n /dev/null 'name="x"; memory=64; vcpus=2; kernel="/k"; root="/dev/xvda1"; extra="ro"; cpuid="host,aes=0,avx2=0,sse=0,sse4_2=0"; cpus=["0","1-2"]; cpus_soft="3"; cpu_weight=300; cap=50' \
	'localtime=1; nomigrate=1; max_grant_frames=32; max_event_channels=100; bootloader_args=["--entry=1"]'
t "a list of leaves says the same" has 'd["b_info"]["cpuid"] == [{"leaf": 1, "ecx": "xxxxxx0" + "x" * 25}]' pvctl create -q -n /dev/null 'name="x"; cpuid=["1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx"]'
t "with its disks and nics" has '[(x["vdev"], x["pdev_path"], x["readwrite"]) for x in d["disks"]] == [("xvda", "/x", 1)] and d["nics"][0]["mac"] == "00:16:3e:00:00:01"' \
	pvctl create --quiet --dryrun --defconfig "$(config dry)" 'disk=["/x,raw,xvda,w"]' 'vif=["mac=00:16:3e:00:00:01"]'
t "list -c and -n have a column each" eval "pvctl list -c web | grep -q '         Cpupool\$' && pvctl list -cn web | grep -q '          Pool-0 all\$'"
t "debug is debug-keys, as with xl" pvctl debug h
t "create -n prints the configuration, and creates nothing" has 'd["name"] == "dry" and d["memory"] == 99' pvctl create -n "$(config dry)" memory=99
t "as does -N in front" has 'd["name"] == "dry"' pvctl -N create "$(config dry)"
refused "it is not there" 1 'invalid domain identifier' pvctl list dry
t "create - reads standard input" eval "pvctl create -q -p - memory=72 <'$(config stdin)' && pvctl destroy stdin"
t "create with KEY=VALUE alone" eval "pvctl create -q -p name=kv memory=72 kernel='$KERNEL' && pvctl destroy kv"
t "a relative kernel is kept as an absolute one" eval "(cd '$(dirname "$KERNEL")' && pvctl create -q -p name=rel memory=72 kernel=vmlinuz) && pvctl list -l rel | grep -q '\"kernel\": \"/' && pvctl destroy rel"
timeout 20 "$PVCTL" events --json -n 2 >"$W/events" &
sleep 0.3
pvctl unpause db
pvctl pause db
wait $!
t "events --json: a document a line" eval "[ \$(wc -l <'$W/events') -eq 2 ] && while read -r l; do echo \"\$l\" | python3 -m json.tool >/dev/null || exit 1; done <'$W/events'"

# Help and usage.
pvctl help --dump-options | cut -f1 | sort -u | grep . >"$W/commands"
bad_help=
while read -r c; do
	# shellcheck disable=SC2086
	{ pvctl help $c >"$W/help" 2>&1 && grep -q '^Usage: pvctl' "$W/help" && sed -n '/^Example:/,$p' "$W/help" | sed 1d | grep -q '^  .*pvctl ' &&
		! sed -n '/^Example:/,$p' "$W/help" | sed 1d | grep -qv '^  '; } || bad_help+=" help:$c"
	# shellcheck disable=SC2086
	pvctl $c --help 2>/dev/null | diff -q - "$W/help" >/dev/null || bad_help+=" --help:$c"
	# shellcheck disable=SC2086
	pvctl $c --no-such-option >/dev/null 2>"$W/usage"
	[ $? -eq 2 ] && grep -q 'no-such-option' "$W/usage" || bad_help+=" option:$c"
done <"$W/commands"
t "$(wc -l <"$W/commands") commands have help with an example, and refuse unknown options with 2" [ -z "$bad_help" ]
[ -z "$bad_help" ] || say "$bad_help"
refused "too many arguments" 2 'too many' pvctl domid web db
refused "too few arguments" 2 'missing' pvctl pause
refused "an unknown global option" 2 'unknown option' pvctl -x list
refused "a misspelt option names the right one" 2 'did you mean --json' pvctl list --jsno
t "a unique prefix will do" eval "[ \"\$(pvctl domi web)\" = '$web' ] && pvctl vm >/dev/null && pvctl vcpu-l >/dev/null && pvctl no li >/dev/null"
t "an exact name wins over a longer one" eval "pvctl help >/dev/null"
refused "an ambiguous prefix is none" 1 '^command not implemented' pvctl d
refused "and tells which it could be" 1 'domid' pvctl dom
refused "no domain of this number" 1 "^Error: Domain '777' does not exist\.\$|invalid domain identifier" pvctl pause 777
refused "a domain 0 is not destroyed" 1 'host' pvctl destroy 0
refused "a taken UUID" 6 'UUID' pvctl create -q -p "$(config again "uuid=\"$(pvctl list --json web | python3 -c 'import json,sys; print(json.load(sys.stdin)["domains"][0]["uuid"])')\"")"
t "and the first keeps its store nodes" eval "pvctl store read \"\$(pvctl store read /local/domain/$web/vm)/name\" | grep -qx web"
t "output to a closed pipe is no noise" eval "pvctl info | head -n 1 >/dev/null"
refused "output to a full device fails" 1 'No space' eval '"$PVCTL" list >/dev/full'

# A client that dies between its store writes and the commit leaves no /vm/UUID: the same, seen from the end.
t "destroy" eval "pvctl destroy web && pvctl destroy db"
refused "the store forgets /vm, too" '*' '.' pvctl store read "/vm/$(sed -n 's/  .*web *$//p' "$W/vms")/name"

# A thousand connections, most of them half a request.
python3 - "$PVCTL_RUN_DIR/default/control.sock" "$PVCTL_RUN_DIR/default/store.sock" "$W/flooding" <<'P' &
import os, resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
all = []
for i in range(1000):
    for path in sys.argv[1:3]:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        try:
            s.send((b"", b"\2", b"\2\0\0\0\0\0\x0f\0" + b"\1" * 8, b"\1\0\0\0\0\0\0\0" * 2)[i % 4])
        except OSError:
            pass
        all.append(s)
open(sys.argv[3], "w").close()
time.sleep(8)
P
flood=$!
t "1000 half requests on each socket" eventually 30 [ -e "$W/flooding" ]
t "others are served meanwhile" eval "for i in 1 2 3 4 5; do timeout 5 '$PVCTL' list >/dev/null || exit 1; done"
t "and create" timeout 20 "$PVCTL" create -q -p "$(config flood 'memory=72')"
if command -v xenstore-read >/dev/null; then
	t "and read the store" eval "XENSTORED_PATH=$PVCTL_RUN_DIR/default/store.sock timeout 5 xenstore-read /local/domain/0/name"
fi
kill $flood
wait $flood 2>/dev/null
t "node stop" pvctl node stop --force
done_testing
