#!/usr/bin/env python3
"""http_ask.py - sends bytes to a port or a unix path, prints all that comes

    http_ask.py PORT|PATH 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'

The usual escapes are undone.  Nothing is known of HTTP here, so whatever the
server sends is seen as it is; it has to close the connection in 20 s.
"""
import socket
import sys

where, text = sys.argv[1:3]
if where.isdigit():
    s = socket.create_connection(("127.0.0.1", int(where)), 20)
else:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(where)
s.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
while True:
    got = s.recv(65536)
    if not got:
        break
    sys.stdout.buffer.write(got)
