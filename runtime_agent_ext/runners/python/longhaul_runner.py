"""Serves a Python function inside a longhaul instance. Standard library only.

Speaks the runtime agent's variant of the AWS Lambda Runtime API on loopback: load/next brings the
function's identity, then next and response (or error) for each invocation. One raw connection is
kept; between a submitted event and the handler's first line stand one recv and one parse.

A function with a concurrency above 1 has as many threads, each of which does the same. Handlers
that are coroutines all run in one event loop, in the main thread. What a run prints is told from
the others' by the context (contextvars) in which it is printed.
"""

import collections
import contextvars
import importlib
import json
import os
import socket
import sys
import threading
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
        # Set when the run is to return: by itself, where others run beside it.
        self.cancelled = threading.Event()
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
    if function.setdefault("concurrency", 1) > 1:
        share_output()
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


class Cancelled(Exception):
    """A coroutine left off because its run was told to return."""


NEXT_HEAD = (
    f"GET {API}invocation/next HTTP/1.1\r\nHost: {HOST}\r\n"
    f"Longhaul-Runtime-Token: {TOKEN}\r\n\r\n"
).encode()


def serve(connection, function):
    """One invocation after another, for ever."""
    call = function["call"]

    def outcome(event, context):
        value = call(event, context)
        if hasattr(value, "__await__"):
            import asyncio

            value = asyncio.run(await_it(value))
        return value

    while True:
        serve_next(connection, function, outcome)


def serve_next(connection, function, outcome):
    status, headers, body = connection.send(NEXT_HEAD)
    if status != 200:
        raise SystemExit(f"next answered {status}")
    context = Context(function, headers)
    path = f"{API}invocation/{context.invocation_id}/"
    try:
        content_type, answer = encoded(outcome(event_of(body, context.content_type), context))
    except Exception as error:
        if not isinstance(error, Cancelled):
            show_traceback(error)
        connection.call("POST", path + "error", body=error_document(error))
        return
    flush()
    connection.call("POST", path + "response", content_type, answer)


async def await_it(value):
    return await value


# ---- Several invocations at once.

RUN = contextvars.ContextVar("longhaul_run", default="")  # whose code this is: an invocation's id


LINE_MAX = 65536  # characters that wait for the end of their line


class TaggedStream:
    """Stands for stdout or stderr: each line of a run goes out whole, and says whose it is."""

    def __init__(self, stream):
        self.stream = stream
        self.lock = threading.Lock()
        self.begun = {}  # by run: the line that has no end yet

    def __getattr__(self, name):
        return getattr(self.stream, name)  # what is said around write() belongs to nobody

    def write(self, text):
        run = RUN.get()
        with self.lock:
            lines = (self.begun.pop(run, "") + text).split("\n")
            if lines[-1] and len(lines[-1]) < LINE_MAX:
                self.begun[run] = lines.pop()
            elif not lines[-1]:
                lines.pop()
            self.put(run, lines)
        return len(text)

    def writelines(self, lines):
        self.write("".join(lines))

    def end(self, run):
        """The run is over: what it has begun is a line."""
        with self.lock:
            if run in self.begun:
                self.put(run, [self.begun.pop(run)])

    def put(self, run, lines):
        if lines:
            tag = f"@longhaul:{run} " if run else ""
            self.stream.write("".join(f"{tag}{line}\n" for line in lines))
            self.stream.flush()


def share_output():
    sys.stdout = TaggedStream(sys.stdout)
    sys.stderr = TaggedStream(sys.stderr)
    carry_context_into_threads()


def carry_context_into_threads():
    """What a thread or a pool does for a run is that run's, as in a coroutine of it."""
    from concurrent.futures import ThreadPoolExecutor

    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_in_context(thread):
        if RUN.get():
            run, context = thread.run, contextvars.copy_context()
            thread.run = lambda: context.run(run)
        start(thread)

    def submit_in_context(pool, call, /, *args, **kwargs):
        return submit(pool, contextvars.copy_context().run, call, *args, **kwargs)

    threading.Thread.start = start_in_context
    ThreadPoolExecutor.submit = submit_in_context


class Shared:
    """Serves up to `concurrency` invocations at once."""

    def __init__(self, function):
        import asyncio

        self.function = function
        self.loop = asyncio.new_event_loop()
        self.lock = threading.Lock()
        self.on = {}  # by invocation and attempt: what makes it return
        self.cancelled = collections.deque(maxlen=1000)  # which may not have been on yet

    def serve(self):
        import asyncio

        asyncio.set_event_loop(self.loop)
        for _ in range(self.function["concurrency"]):
            self.start_thread(self.work)
        self.start_thread(self.watch_cancels)
        self.loop.run_forever()

    @staticmethod
    def start_thread(target):
        def run():
            try:
                target()
            except BaseException:
                traceback.print_exc()
                flush()
                os._exit(1)

        threading.Thread(target=run, daemon=True).start()

    def work(self):
        connection = Connection()
        while True:
            contextvars.copy_context().run(self.serve_one, connection)

    def serve_one(self, connection):
        serve_next(connection, self.function, self.outcome)

    def outcome(self, event, context):
        run = (context.invocation_id, context.attempt)
        RUN.set(context.invocation_id)
        self.may_cancel(run, context.cancelled.set)
        try:
            value = self.function["call"](event, context)
            if hasattr(value, "__await__"):
                value = self.awaited(value, run, context)
            return value
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"the handler raised {type(error).__name__}") from error
        finally:
            with self.lock:
                del self.on[run]
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, TaggedStream):
                    stream.end(context.invocation_id)

    def awaited(self, value, run, context):
        """What a coroutine comes to, in the loop and in the context of this run."""
        from concurrent.futures import Future

        ended, tasks = Future(), []

        def begin():
            tasks.append(self.loop.create_task(await_it(value)))
            tasks[0].add_done_callback(ended.set_result)

        def cancel():
            context.cancelled.set()
            self.loop.call_soon_threadsafe(lambda: tasks[0].cancel())

        self.loop.call_soon_threadsafe(begin)
        self.may_cancel(run, cancel)
        task = ended.result()
        if task.cancelled():
            raise Cancelled("the run was told to return")
        return task.result()

    def may_cancel(self, run, cancel):
        """From now on the run is told to return by `cancel`, also if that was wanted before."""
        with self.lock:
            self.on[run] = cancel
            wanted = run in self.cancelled
        if wanted:
            cancel()

    def watch_cancels(self):
        connection = Connection()
        while True:
            status, _, body = connection.call("GET", API + "cancel/next")
            if status != 200:
                raise SystemExit(f"cancel/next answered {status}")
            wanted = json.loads(body)
            run = (wanted["invocation"], wanted["attempt"])
            with self.lock:
                self.cancelled.append(run)
                cancel = self.on.get(run)
            if cancel is not None:
                cancel()


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    connection = Connection()
    function = load(connection)
    if function is None:
        sys.exit(1)
    if function["concurrency"] > 1:
        Shared(function).serve()
    serve(connection, function)


if __name__ == "__main__":
    main()
