#!/bin/bash
# SPDX-License-Identifier: MIT
# config show: each value and where it is from. config convert: to JSON and back. No node is needed.
. "$(dirname "$0")/lib.sh"

cat >"$W/web.cfg" <<'C'
# a web server
name = "web"
memory = 256; maxmem = 0x200
kernel = '/boot/a"b\\c'
vif = [ "", "link=user" ]
extra = "one"
extra += " two"
vcpus = 2
boot = "c"
C
cat >"$W/want" <<C
name = "other"  # command line
memory = 256  # $W/web.cfg:3
maxmem = 0x200  # $W/web.cfg:3
kernel = "/boot/a\\"b\\\\c"  # $W/web.cfg:4
vif = [ "", "link=user" ]  # $W/web.cfg:5
extra = "one two"  # $W/web.cfg:6
vcpus = 2  # $W/web.cfg:8
boot = "c"  # $W/web.cfg:9, ignored
cap = 50  # command line
C
show() { pvctl config show "$@" 2>/dev/null; }
t "each key has its origin" diff "$W/want" <(show -s "$W/web.cfg" name=other cap=50)
t "defaults are comments" eval "show '$W/web.cfg' | grep -qx '#cpu_weight = 256  # default' && ! show '$W/web.cfg' | grep -q '^#vcpus'"
t "what is shown is a config file" eval "show '$W/web.cfg' >'$W/again.cfg' && diff <(show -s '$W/web.cfg' | sed 's/  #.*//') <(show -s '$W/again.cfg' | sed 's/  #.*//')"
t "as JSON" eval "show --json '$W/web.cfg' cap=50 | python3 -c '
import json, sys
k = {x[\"name\"]: x for x in json.load(sys.stdin)[\"keys\"]}
assert k[\"maxmem\"][\"line\"] == 3 and k[\"maxmem\"][\"column\"] == 24 and k[\"maxmem\"][\"value\"] == 512 and k[\"maxmem\"][\"origin\"] == \"file\"
assert k[\"cap\"][\"origin\"] == \"command line\" and \"file\" not in k[\"cap\"] and k[\"cpus\"][\"origin\"] == \"default\"
assert k[\"vif\"][\"value\"] == [\"\", \"link=user\"]'"
printf 'name = "x"\nvcpus = = 1\n' >"$W/bad.cfg"
refused "a mistake has its place" 1 'bad.cfg:2:9: error' pvctl config show "$W/bad.cfg"
refused "no such file" 3 'none.cfg: No such file' pvctl config show "$W/none.cfg"

convert() { pvctl config convert "$@" 2>/dev/null; }
# An empty list is no list.
json_same() { python3 -c 'import json,sys; a, b = ({k: v for k, v in json.load(open(f)).items() if v != []} for f in sys.argv[1:]); sys.exit(a != b or not a)' "$@"; }
t "to JSON" eval "convert '$W/web.cfg' >'$W/web.json' && grep -q '\"memory\": *256' '$W/web.json'"
t "and back" eval "convert '$W/web.json' >'$W/back.cfg' && grep -qx 'extra = \"one two\"' '$W/back.cfg'"
t "which is the same" eval "convert '$W/back.cfg' >'$W/back.json' && json_same '$W/web.json' '$W/back.json'"
there_and_back() { # FILE
	convert "$1" >"$W/1.json" && convert "$W/1.json" >"$W/1.cfg" && convert "$W/1.cfg" >"$W/2.json" && json_same "$W/1.json" "$W/2.json"
}
# What libvirt's format has words for comes back as it was; what it has none for is named, and nothing else is missing.
by_xml() { # FILE
	pvctl config convert --to xml "$1" >"$W/1.xml" 2>"$W/err" && convert "$W/1.xml" >"$W/xml.cfg" && convert "$W/xml.cfg" >"$W/3.json" &&
		python3 - "$W/1.json" "$W/3.json" "$W/err" <<'P'
import json, re, sys
was, now = (json.load(open(f)) for f in sys.argv[1:3])
said = set(re.findall(r"warning: ([a-z0-9_]+)", open(sys.argv[3]).read()))
# Two words for the same command line.
if "cmdline" not in was and ("root" in was or "extra" in was):
    was["cmdline"] = " ".join(filter(None, ["root=" + was.pop("root") if "root" in was else "", was.pop("extra", "")]))
# What is not said there is the default.
defaults = {"type": "pv", "localtime": 0, "maxmem": was.get("memory"), "maxvcpus": was.get("vcpus")}
lost = {k for k in was if k not in now and was[k] != defaults.get(k, [])} - said
# The text of a device may be another one that says the same.
other = {k for k in was if k in now and k not in ("disk", "vif", "channel") and now[k] != was[k]} - said
assert not lost and not other, (lost, other, {k: (was[k], now.get(k)) for k in lost | other}, said)
assert all(len(was.get(k, [])) == len(now.get(k, [])) for k in ("disk", "vif") if k not in said), (was, now)
P
}
golden=0
for f in config/examples/*.cfg tests/config/pass-*.cfg tests/config/public/pass-*.cfg; do
	# Some golden files are of the grammar alone: their keys have no values that a domain could have.
	convert "$f" >"$W/1.json" && [ "$(cat "$W/1.json")" != '{}' ] || continue
	golden=$((golden + 1))
	t "$(basename "$f"), there and back" there_and_back "$f"
	t "and by libvirt's XML" by_xml "$f"
done
t "golden files were among them" [ $golden -ge 15 ]
t "a form may be named" eval "convert --from json --to json - <'$W/web.json' >'$W/same.json' && json_same '$W/web.json' '$W/same.json'"
refused "no such form" 2 'yaml is none of cfg, json' pvctl config convert --to yaml "$W/web.cfg"
echo '{"memory": "much"}' >"$W/bad.json"
refused "JSON with a wrong value" 1 'memory' pvctl config convert "$W/bad.json"
echo '{"memory": 1' >"$W/cut.json"
refused "JSON that ends too early" 1 'JSON' pvctl config convert "$W/cut.json"
done_testing
