"""HTTP as the tests need it: whole answers, streams read line by line, and raw bytes."""

import json
import socket
import time


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # [(lower-case name, value)]
        self.body = body

    def header(self, name):
        for key, value in self.headers:
            if key == name.lower():
                return value
        return None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.body[:600]!r}>'


def address_of(text):
    host, _, port = text.rpartition(':')
    return host, int(port)


def encode(method, path, body=None, headers=(), host='longhaul'):
    """A request whose connection ends with its answer."""
    lines = [f'{method} {path} HTTP/1.1', f'Host: {host}', 'Connection: close']
    lines += [f'{name}: {value}' for name, value in dict(headers).items()
              if not isinstance(value, (list, tuple))]
    lines += [f'{name}: {value}' for name, values in dict(headers).items()
              if isinstance(values, (list, tuple)) for value in values]
    if body is not None or method in ('POST', 'PUT'):
        lines.append(f'Content-Length: {len(body or b"")}')
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + (body or b'')


def parse_head(data):
    """(status, headers) of the bytes before the empty line."""
    lines = data.decode('latin-1').split('\r\n')
    status = int(lines[0].split(' ')[1])
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(':')
        headers.append((name.strip().lower(), value.strip()))
    return status, headers


class Stream:
    """An answer whose body is read as it comes."""

    def __init__(self, connection, deadline):
        self._socket = connection
        self._buffer = b''
        self._deadline = deadline
        while b'\r\n\r\n' not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b'\r\n\r\n', 1)
        self.status, self.headers = parse_head(head)
        headers = dict(self.headers)
        self._chunked = headers.get('transfer-encoding') == 'chunked'
        length = headers.get('content-length')
        self._left = int(length) if length is not None else None
        self._ended = self.status in (204, 304) or self._left == 0
        self._plain = b''

    def _fill(self):
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError('no complete answer in time')
        self._socket.settimeout(left)
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError(f'closed in the middle of an answer: {self._buffer[:200]!r}')
        self._buffer += data

    def _take(self, count):
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _take_line(self):
        while b'\r\n' not in self._buffer:
            self._fill()
        line, self._buffer = self._buffer.split(b'\r\n', 1)
        return line

    def read_some(self):
        """The next bytes of the body; b'' at its end."""
        if self._ended:
            return b''
        if self._chunked:
            size = int(self._take_line().split(b';')[0], 16)
            data = self._take(size)
            self._take_line()
            self._ended = size == 0
            return data
        if self._left is None:
            try:
                if not self._buffer:
                    self._fill()
            except ConnectionError:
                self._ended = True
            data, self._buffer = self._buffer, b''
            return data
        if not self._buffer:
            self._fill()
        data, self._buffer = self._buffer[:self._left], self._buffer[self._left:]
        self._left -= len(data)
        self._ended = self._left == 0
        return data

    def read_line(self):
        """The next line without its end; None after the last."""
        while b'\n' not in self._plain:
            data = self.read_some()
            if not data:
                line, self._plain = self._plain, b''
                return line.decode() if line else None
            self._plain += data
        line, self._plain = self._plain.split(b'\n', 1)
        return line.decode()

    def read_all(self):
        parts = [self._plain]
        while True:
            data = self.read_some()
            if not data:
                return b''.join(parts)
            parts.append(data)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stream(address, method, path, body=None, headers=(), timeout=30.0):
    """Sends a request and returns its answer as a Stream. The caller closes it."""
    deadline = time.monotonic() + timeout
    connection = socket.create_connection(address_of(address), timeout=timeout)
    try:
        try:
            connection.sendall(encode(method, path, body, headers))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was read: the answer says why
        return Stream(connection, deadline)
    except BaseException:
        connection.close()
        raise


def request(address, method, path, body=None, headers=(), timeout=30.0):
    with stream(address, method, path, body, headers, timeout) as answer:
        return Response(answer.status, answer.headers, answer.read_all())


def raw(address, data, finish=True, timeout=10.0):
    """Sends bytes as they are; returns all that comes until the server closes.

    finish: whether to say that nothing more is sent. Raises TimeoutError if it stays open.
    """
    with socket.create_connection(address_of(address), timeout=timeout) as connection:
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass
        answer = b''
        while True:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return answer
            if not part:
                return answer
            answer += part
