#!/bin/bash
# SPDX-License-Identifier: MIT
# Templates: made of a config, a disk and a domain that runs; domains of them; reinstall; copies for other machines.
. "$(dirname "$0")/lib.sh"
export PVCTL_DATA_DIR=$W/data
need_kernel 2>/dev/null || true
[ -f "$KERNEL" ] || { skip "templates" "no kernel: make demo fetches one"; done_testing; exit; }

truncate -s 32M "$W/disk.img"
printf 'of the template' | dd of="$W/disk.img" conv=notrunc status=none
truncate -s 32M "$W/data.img"
cfg=$(config proto "disk=['$W/disk.img,raw,xvda,w']")

first_word() { qemu-img dd -U -f qcow2 -O raw bs=512 count=1 "if=$1" "of=$W/word" 2>/dev/null && head -c 15 "$W/word"; }
is() { [ "$1" = "$2" ] || { echo "$1, not $2"; return 1; }; }
domid_of() { pvctl domid "$1"; }

t "made of a config" pvctl template create base --from "$cfg" -d 'small one'
refused "not twice" 1 'already' pvctl template create base --from "$cfg"
t "made of a disk" pvctl template create plain --from "$W/disk.img"
refused "of nothing" 1 'no file, no domain' pvctl template create none --from nothing
t "list has both" sh -c "$PVCTL template list --json | python3 -c 'import json,sys; d=json.load(sys.stdin); assert [x[\"name\"] for x in d[\"templates\"]]==[\"base\",\"plain\"], d'"
t "show has the defaults, and neither name nor disks" sh -c "$PVCTL template show base | python3 -c 'import json,sys; c=json.load(sys.stdin)[\"config\"]; assert c[\"memory\"]==128 and not {\"name\",\"disk\",\"uuid\"} & set(c), c'"
t "verify" pvctl template verify base
t "the original does not change it" sh -c "printf 'changed       !' | dd of=$W/disk.img conv=notrunc status=none; $PVCTL template verify base"

refused "a domain needs a name" '*' 'name is not set' pvctl create --template base memory=64
refused "of no such template" '*' 'no template' pvctl create --template nix name=a
t "a domain of it, with a disk more" pvctl create --template base name=one "disk=['$W/data.img,raw,xvdb,w']"
t "it is defined" sh -c "$PVCTL defined | grep -q '^one '"
t "its disk is the template's" is "$(first_word "$W/data/disks/one/xvda.qcow2")" 'of the template'
refused "its name's disks are there" 6 'pvctl start one' pvctl create --template base name=one
t "it comes up" eventually 120 console_has one 'guest-init: up'
refused "a template in use stays" 1 'domain "one"' pvctl template delete base
refused "none of a disk that is being written" 1 'in use' pvctl template create torn --from "$W/data.img"
refused "nor of one of another format" 1 'in use' pvctl template create torn --from "$W/data/disks/one/xvda.qcow2" --format qcow2
uuid=$(pvctl list -v one | tail -n 1 | awk '{print $7}')

t "warm, of a domain that runs" pvctl template create hot --from one --warm
t "that one goes on" sh -c "sleep 1; $PVCTL list one | tail -n 1 | grep -qE ' (-b----|r-----) '"
refused "memory has a size" 6 'cold' pvctl create --template hot name=two memory=256
t "a domain that need not boot" pvctl create --template hot name=two
t "it has not booted" sh -c "! cat $PVCTL_STATE_DIR/default/console/two.log 2>/dev/null | grep -q 'guest-init: up'"
t "it goes on" sh -c "sleep 1; $PVCTL list two | tail -n 1 | grep -qE ' (-b----|r-----) '"
t "both run, with other UUIDs" sh -c "[ \$($PVCTL list -v | grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' | sort -u | wc -l) -ge 2 ]"

printf 'written since  ' >"$W/new"
t "what was written is the domain's alone" sh -c "$PVCTL destroy one && qemu-img convert -n -f raw -O qcow2 $W/new $W/data/disks/one/xvda.qcow2 2>/dev/null; $PVCTL template verify base"
refused "reinstall asks" 1 '--yes' sh -c "$PVCTL reinstall one </dev/null"
t "reinstall" pvctl reinstall --yes one
t "the disk is as new" is "$(first_word "$W/data/disks/one/xvda.qcow2")" 'of the template'
t "what did not run does not run" sh -c "! $PVCTL domid one"
t "start" pvctl start one
old=$(domid_of one)
t "reinstall of one that runs" pvctl reinstall -y one
t "is another one" sh -c "[ \$($PVCTL domid one) != $old ]"
t "with the same UUID" is "$(pvctl list -v one | tail -n 1 | awk '{print $7}')" "$uuid"

refused "disks of what runs stay" 1 'it runs' pvctl undefine --disks one
t "a copy of it, as soon as its kernel can" eventually 120 pvctl clone -p one copied
t "the original ends" pvctl destroy one
refused "its disks stay while the copy's are based on them" 1 'one-xvda-[0-9]*-base.qcow2|copied-xvda' pvctl undefine --disks one
t "it is still defined" pvctl start one
t "the copy ends" pvctl destroy copied
rm "$W"/data/disks/one/copied-xvda-*
t "its disk stands alone" sh -c "$PVCTL destroy one && $PVCTL disk flatten $W/data/disks/one/xvda.qcow2"
rm "$W"/data/disks/one/one-xvda-*-base.qcow2
t "start" pvctl start one
t "undefine --disks" sh -c "$PVCTL destroy one && $PVCTL undefine --disks one && ! [ -e $W/data/disks/one ]"
t "a domain of it" eval "$PVCTL create -p --template base name=late && $PVCTL undefine late"
refused "its disks stay while it runs" 1 'it runs' pvctl undefine --disks late
t "it has another name" pvctl rename late renamed
refused "and its disks stay, whose name is the old one" 1 'late/xvda.qcow2' pvctl undefine --disks late
t "they are there yet" [ -s "$W/data/disks/late/xvda.qcow2" ]
t "it has its name again" pvctl rename renamed late
# A node that refuses to be asked: what it runs is not known then, and nothing is taken for stopped.
mkdir -m 700 "$PVCTL_RUN_DIR/full"
python3 - "$PVCTL_RUN_DIR/full/control.sock" <<'END' &
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(8)
while True:
    c = s.accept()[0]
    c.recv(16)
    text = b"too many open files in pvctld"
    c.send(struct.pack("=IIIi", 1 | 0x80000000, len(text), 1, -28) + text)
    c.close()
END
full=$!
eventually 10 [ -S "$PVCTL_RUN_DIR/full/control.sock" ]
refused "nor are disks deleted when it cannot be asked" 1 'too many open files' pvctl --node full undefine --disks late
t "they are there" [ -s "$W/data/disks/late/xvda.qcow2" ]
refused "nor resized as if it did not run" 1 'too many open files' pvctl --node full disk resize late xvda +1m
refused "nor is it listed as stopped" 1 'too many open files' pvctl --node full defined
refused "nor is its node stopped" 1 'not known' pvctl node stop full
kill $full
rm -r "$PVCTL_RUN_DIR/full"
t "destroy" pvctl destroy late
refused "they keep the template, and that says how they go" 1 'undefine --disks late' pvctl template delete base
t "undefine --disks of what is defined no more" sh -c "$PVCTL undefine --disks late && ! [ -e $W/data/disks/late ]"
refused "not twice" 1 'no domain "late" is defined' pvctl undefine --disks late
mkdir "$W/usb"
t "export" pvctl template export base "$W/usb"
t "import" pvctl template import "$W/usb/base" copy
t "a copy is as good" pvctl template verify copy
chmod u+w "$W/usb/base/kernel"
printf x | dd of="$W/usb/base/kernel" conv=notrunc status=none
refused "an altered one is refused" 1 'checksum' pvctl template import "$W/usb/base" other
sed -i 's/"file":"xvda.qcow2"/"file":"..\/xvda.qcow2"/' "$W/usb/base/manifest.json"
refused "one that names files elsewhere, too" 1 'plain names' pvctl template import "$W/usb/base" other
t "nothing is left of these" is "$(ls -A "$W/data/templates" | tr '\n' ' ')" 'base copy hot plain '
t "delete" pvctl template delete copy
pvctl node stop --force >/dev/null
done_testing
