"""Serves a Python function inside a longhaul instance. Standard library only.

Speaks the runtime agent's variant of the AWS Lambda Runtime API on loopback: load/next brings the
function's identity, then next and response (or error) for each invocation. One raw connection is
kept; between a submitted event and the handler's first line stand one recv and one parse.
"""

import importlib
import json
import os
import socket
import sys
import time
import traceback

API = "/2018-06-01/runtime/"
HOST, _, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
TOKEN = os.environ.pop("LONGHAUL_RUNTIME_TOKEN", "")


class Connection:
    """Keep-alive HTTP/1.1 to the runtime agent; reconnects where an idle connection was cut."""

    def __init__(self, timeout=None):
        self.timeout = timeout
        self.socket = None
        self.buffer = b""

    def call(self, method, path, content_type="application/json", body=b"", headers=""):
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nLonghaul-Runtime-Token: {TOKEN}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        ).encode("latin-1")
        return self.send(head, body)

    def send(self, head, body=b""):
        for fresh in (False, True):
            try:
                if self.socket is None or fresh:
                    self.connect()
                if len(body) < 65536:
                    self.socket.sendall(head + body)
                else:
                    self.socket.sendall(head)
                    self.socket.sendall(body)
                return self.receive()
            except (ConnectionError, EOFError):
                self.socket = None
                if fresh:
                    raise

    def connect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = socket.create_connection((HOST, int(PORT)), timeout=self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise EOFError("the runtime agent closed the connection")
        return chunk

    def receive(self):
        data = self.buffer
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        lines = data[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        rest = data[end + 4 :]
        if "chunked" in headers.get("transfer-encoding", ""):
            raise ConnectionError("unexpected chunked answer")
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            parts = [rest]
            have = len(rest)
            while have < size:
                part = self.more()
                parts.append(part)
                have += len(part)
            rest = b"".join(parts)
        self.buffer = rest[size:]
        if headers.get("connection", "").lower() == "close":
            self.socket.close()
            self.socket = None
        return status, headers, rest[:size]


class Context:
    """What a handler may ask about its invocation."""

    def __init__(self, function, headers):
        self.invocation_id = headers["lambda-runtime-aws-request-id"]
        self.attempt = int(headers.get("longhaul-attempt", "1"))
        self.deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        self.tenant = function["tenant"]
        self.function = function["function"]
        self.version = function["version"]
        self.memory_mb = function["memory_mb"]
        self.content_type = headers.get("longhaul-content-type", "")
        self.traceparent = headers.get("longhaul-traceparent", "")
        self._labels = headers.get("longhaul-labels", "")
        self._headers = headers.get("longhaul-headers", "")
        self._progress_path = headers.get("longhaul-progress-path", "")
        self._heartbeat_path = headers.get("longhaul-heartbeat-path", "")
        # The names that functions written for AWS Lambda use.
        self.aws_request_id = self.invocation_id
        self.function_name = self.function
        self.function_version = self.version
        self.memory_limit_in_mb = self.memory_mb

    @property
    def labels(self):
        return json.loads(self._labels) if self._labels else {}

    @property
    def headers(self):
        return json.loads(self._headers) if self._headers else {}

    def remaining_ms(self):
        return max(0, self.deadline_ms - int(time.time() * 1000))

    get_remaining_time_in_millis = remaining_ms

    def progress(self, percent, message=""):
        """Shows how far the run is. Never fails a run: what cannot be sent is not sent."""
        body = json.dumps({"percent": percent, "message": str(message)}).encode()
        self._tell(self._progress_path, body)

    def heartbeat(self):
        """Says that the run is well, where its function has a heartbeat_timeout."""
        self._tell(self._heartbeat_path, b"")

    @staticmethod
    def _tell(path, body):
        try:
            connection = Connection(timeout=5)
            connection.call("POST", path, body=body, headers="Connection: close\r\n")
        except (OSError, EOFError):
            pass


def event_of(body, content_type):
    if not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(body)
    if not kind:
        try:
            return json.loads(body)
        except ValueError:
            return body
    return body


def encoded(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode()
    return "application/json", json.dumps(value, ensure_ascii=False).encode()


def error_document(error):
    return json.dumps(
        {
            "errorMessage": str(error) or type(error).__name__,
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_exception(type(error), error, error.__traceback__),
        }
    ).encode()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def show_traceback(error):
    # Without the frames of this file: they are no part of the user's story.
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace or error.__traceback__)
    flush()


def load(connection):
    """Waits for an identity, then imports the user's code. Returns it, or nothing on failure."""
    status, _, body = connection.call("GET", API + "load/next")
    if status != 200:
        raise SystemExit(f"load/next answered {status}")
    function = json.loads(body)
    os.environ.update(function["env"])
    if function["code_dir"]:
        os.chdir(function["code_dir"])
        sys.path.insert(0, function["code_dir"])
    begun = time.monotonic()
    try:
        module_name, _, name = function["handler"].replace("/", ".").rpartition(".")
        if not module_name:
            raise ValueError(f"handler {function['handler']!r} is not of the form module.function")
        function["call"] = getattr(importlib.import_module(module_name), name)
    except BaseException as error:
        show_traceback(error)
        connection.call("POST", API + "load/error", body=error_document(error))
        return None
    flush()
    report = json.dumps({"import_ms": (time.monotonic() - begun) * 1000}).encode()
    connection.call("POST", API + "load/done", body=report)
    return function


def serve(connection, function):
    call = function["call"]
    next_head = (
        f"GET {API}invocation/next HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Longhaul-Runtime-Token: {TOKEN}\r\n\r\n"
    ).encode()
    while True:
        status, headers, body = connection.send(next_head)
        if status != 200:
            raise SystemExit(f"next answered {status}")
        context = Context(function, headers)
        path = f"{API}invocation/{context.invocation_id}/"
        try:
            value = call(event_of(body, context.content_type), context)
            if hasattr(value, "__await__"):
                import asyncio

                value = asyncio.run(await_it(value))
            content_type, answer = encoded(value)
        except Exception as error:
            show_traceback(error)
            connection.call("POST", path + "error", body=error_document(error))
            continue
        flush()
        connection.call("POST", path + "response", content_type, answer)


async def await_it(value):
    return await value


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    connection = Connection()
    function = load(connection)
    if function is None:
        sys.exit(1)
    serve(connection, function)


if __name__ == "__main__":
    main()
