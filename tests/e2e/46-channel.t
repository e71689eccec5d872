#!/bin/bash
# SPDX-License-Identifier: MIT
# Channels of a stock Linux guest: bytes both ways through a pty and through a socket.
. "$(dirname "$0")/lib.sh"

S=$W/agent.sock
PY=python3
refused "a channel without a connection" '*' 'no connection is given' pvctl create -q "$(config x 'channel=["name=a"]')"
refused "a socket without a path" '*' 'needs a path' pvctl create -q "$(config x 'channel=["name=a,connection=socket"]')"
refused "two of the same name" '*' 'two have the name' pvctl create -q "$(config x 'channel=["name=a,connection=pty","name=a,connection=pty"]')"
refused "an unknown key" '*' 'unknown key "color"' pvctl create -q "$(config x 'channel=["name=a,connection=pty,color=red"]')"
echo precious >"$W/file"
refused "a file in the socket's place" '*' 'not a socket of ours' pvctl create -q "$(config x "channel=[\"name=a,connection=socket,path=$W/file\"]")"
t "which is left alone" grep -q precious "$W/file"

# The guest echoes what comes in on hvc1 and hvc2. A shell that waits for its terminal must not hold the others up.
GUEST='cmdline="console=hvc0 quiet run=stty+-F+/dev/hvc1+raw+-echo;stty+-F+/dev/hvc2+raw+-echo;(cat+</dev/hvc1+>/dev/hvc1&);(cat+</dev/hvc2+>/dev/hvc2&)"'
t "create with two channels" pvctl create -q "$(config chan "channel=[\"name=org.agent.pty,connection=pty\",\"name=org.agent.sock,connection=socket,path=$S\"]" "$GUEST" 'on_reboot="restart"')"
eventually 120 console_has chan 'guest-init: up' || not_ok "the guest is up"
connected() { [ "$(pvctl channel-list chan | grep -c '^[12] *0 *4 ')" -eq 2 ]; }
if eventually 60 connected; then ok "both are connected"; else not_ok "both are connected"; pvctl channel-list chan; fi
t "channel-list --json" eval "pvctl channel-list --json chan | $PY -c 'import json,sys; c=json.load(sys.stdin)[\"channels\"]; assert [x[\"connection\"] for x in c]==[\"pty\",\"socket\"] and c[1][\"path\"]==\"$S\"'"
id=$(pvctl domid chan)
t "the guest finds the name" [ "$(pvctl store read /local/domain/$id/device/console/1/name)" = org.agent.pty ]
tty=$(pvctl store read "/local/domain/$id/device/console/1/tty")
t "the pty is in the store, for its owner only" [ "$(stat -c %a "$tty")" = 600 ]
t "so is the socket" [ "$(stat -c %a "$S")" = 600 ]

cat >"$W/echo.py" <<'END'
import os, select, socket, sys, time
path, size = sys.argv[1], int(sys.argv[2])
if os.path.exists(path) and not path.startswith("/dev/"):
    s = socket.socket(socket.AF_UNIX); s.connect(path); fd = s.detach()
else:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
os.set_blocking(fd, False)
# What the guest still holds of the last client's is not for this one.
while len(sys.argv) > 3 and select.select([fd], [], [], 2)[0]:
    os.read(fd, 65536)
want = bytes(32 + i * 7 % 90 for i in range(size))
sent, got, end = 0, b"", time.time() + 60
while len(got) < size and time.time() < end:
    r, w, _ = select.select([fd], [fd] if sent < size else [], [], 1)
    if r:
        got += os.read(fd, 65536)
    if w:
        try: sent += os.write(fd, want[sent:sent + 1000])
        except BlockingIOError: pass
sys.exit(0 if got == want else "sent %d, got %d" % (sent, len(got)))
END
sleep 2
t "a little through the pty and back" "$PY" "$W/echo.py" "$tty" 10
t "64 KiB through the pty and back" "$PY" "$W/echo.py" "$tty" 65536
t "a little through the socket and back" "$PY" "$W/echo.py" "$S" 10
t "the next client: 64 KiB" "$PY" "$W/echo.py" "$S" 65536
refused "a path that another channel listens at" '*' 'in use' pvctl create -q "$(config x "channel=[\"name=a,connection=socket,path=$S\"]")"
t "the other's socket still works" "$PY" "$W/echo.py" "$S" 10
# A client that sends and does not read: neither the daemon nor, for long, the guest waits for it.
timeout 3 "$PY" -c "
import socket, time
s = socket.socket(socket.AF_UNIX); s.connect('$S'); s.setblocking(False)
end = time.time() + 2
while time.time() < end:
    try: s.send(b'x' * 4096)
    except BlockingIOError: time.sleep(0.05)
" &
sleep 1
t "the daemon answers meanwhile" pvctl list
wait
t "the next client is served" "$PY" "$W/echo.py" "$S" 3000 drain
t "reboot" pvctl reboot chan
if eventually 120 eval "i=\$(pvctl domid chan) && [ \$i != $id ] && connected"; then ok "the channels come along"; else not_ok "the channels come along"; fi
# Before the guest's terminal is raw, what is sent to it is not what comes back.
eventually 120 eval "[ \$(console_log chan | grep -c 'guest-init: stty') -ge 2 ]" || not_ok "the guest is up again"
sleep 3
t "bytes through the socket after it" "$PY" "$W/echo.py" "$S" 1000
t "destroy" pvctl destroy chan
t "no socket is left" [ ! -e "$S" ]
# A daemon that was killed leaves its socket behind; the next may take the place.
"$PY" -c "import socket; s = socket.socket(socket.AF_UNIX); s.bind('$S')"
t "a stale socket is replaced" pvctl create -q -p "$(config again "channel=[\"name=a,connection=socket,path=$S\"]")"
t "node stop" pvctl node stop --force
t "no socket is left then either" [ ! -e "$S" ]
done_testing
