#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""net-server.py DIR: what the network tests' guests talk to. TCP 9000 sends DIR/big; 9002 keeps what comes in
DIR/got; UDP 53 is a name server that knows host.test, 192.0.2.1."""
import os
import socket
import socketserver
import sys
import threading

directory = sys.argv[1]


class Send(socketserver.BaseRequestHandler):
    def handle(self):
        with open(directory + "/big", "rb") as f:
            try:
                self.request.sendfile(f)
            except ConnectionError:
                pass  # it had enough


class Keep(socketserver.BaseRequestHandler):
    def handle(self):
        with open(directory + "/got.part", "wb") as f:
            while data := self.request.recv(1 << 16):
                f.write(data)
        os.rename(directory + "/got.part", directory + "/got")


class Name(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        known = b"\4host\4test\0\0\1\0\1" in query
        question = query[12:query.index(b"\0", 12) + 5]
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("192.0.2.1") if known else b""
        head = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1\0" + bytes([known]) + b"\0\0\0\0"
        sock.sendto(head + question + answer, self.client_address)


class TCP(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


servers = [TCP(("", 9000), Send), TCP(("", 9002), Keep), socketserver.ThreadingUDPServer(("", 53), Name)]
for s in servers:
    threading.Thread(target=s.serve_forever).start()
open(directory + "/serving", "w").close()
