"""What the agents share: a loopback socket, a server that ends with stdin, lines of JSON on stdout."""

import json
import os
import socket as sockets
import sys
import threading

import uvicorn


def write_line(value):
    sys.stdout.write(json.dumps(value) + '\n')
    sys.stdout.flush()


def free_socket():
    listening = sockets.create_server(('127.0.0.1', 0))
    return listening, f'http://127.0.0.1:{listening.getsockname()[1]}/a2a'


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


def serve(app, listening, hello):
    write_line(hello)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, log_level='error')).run(sockets=[listening])
