#!/usr/bin/env python3
"""A server that answers the line protocol from files, for tests of sekishoctl.

fake_status.py SOCKET FOLDER: a request "off x" is answered with the bytes of
FOLDER/off_x, as they are, and the connection stays open; FOLDER/off_x.eof
closes it behind them.  Without such a file nothing is ever said.  All requests
go to FOLDER/log.  Ends with its standard input's owner: SIGTERM.
"""
import os
import socket
import sys
import threading

path, folder = sys.argv[1:]


def serve(conn):
    with conn, conn.makefile("rb") as lines:
        for line in lines:
            name = line.decode().rstrip("\n").replace(" ", "_")
            with open(os.path.join(folder, "log"), "a") as log:
                log.write(name + "\n")
            for suffix in "", ".eof":
                try:
                    with open(os.path.join(folder, name + suffix), "rb") as f:
                        conn.sendall(f.read())
                except FileNotFoundError:
                    continue
                if suffix:
                    return


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(16)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],),
                     daemon=True).start()
