"""Requests whose framing is ambiguous, and other tricks, through raw sockets."""

import json
import socket

import http_client
from harness import PROBLEMS, equal, problem

POST = 'POST /v1/functions/echo/invocations HTTP/1.1\r\nHost: a\r\n'
NEXT = 'GET /v1/functions HTTP/1.1\r\nHost: a\r\n\r\n'  # what a trick would smuggle in

AMBIGUOUS = {
    'two lengths': POST + 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'two equal lengths': POST + 'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
    'a list of lengths': POST + 'Content-Length: 5, 5\r\n\r\nhello',
    'length and chunked': POST + 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
                                 '0\r\n\r\n',
    'chunked and length': POST + 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n'
                                 '0\r\n\r\n',
    'identity': POST + 'Transfer-Encoding: identity\r\n\r\nhello',
    'chunked, identity': POST + 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'gzip, chunked': POST + 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'xchunked': POST + 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'chunked twice': POST + 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n'
                            '0\r\n\r\n',
    'length and identity': POST + 'Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello',
    'chunked on 1.0': POST.replace('1.1', '1.0') + 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'space before the colon': POST + 'Content-Length : 5\r\n\r\nhello',
    'space before a chunked colon': POST + 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    'a folded line': POST + 'Content-Length: 5\r\n X: y\r\n\r\nhello',
    'a folded encoding': POST + 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
    'a line without colon': POST + 'Content-Length\r\nContent-Length: 5\r\n\r\nhello',
    'a negative length': POST + 'Content-Length: -5\r\n\r\nhello',
    'a signed length': POST + 'Content-Length: +5\r\n\r\nhello',
    'a hexadecimal length': POST + 'Content-Length: 0x5\r\n\r\nhello',
    'an empty length': POST + 'Content-Length: \r\n\r\nhello',
    'a length above 64 bits': POST + 'Content-Length: 18446744073709551621\r\n\r\nhello',
    'a zero byte in a header': POST + 'X: a\0b\r\nContent-Length: 5\r\n\r\nhello',
    'a bare line feed': POST + 'X: a\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello',
    'a bare carriage return': POST + 'X: a\rContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello',
    'no host': 'POST /v1/functions/echo/invocations HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello',
    'two hosts': POST + 'Host: b\r\nContent-Length: 5\r\n\r\nhello',
}
BAD_CHUNKS = {
    'no number': 'zz\r\nhello\r\n0\r\n\r\n',
    'negative': '-5\r\nhello\r\n0\r\n\r\n',
    'huge': 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    'no line end after data': '5\r\nhelloX0\r\n\r\n',
    'bare line feeds': '5\nhello\n0\n\n',
    'prefixed': '0x5\r\nhello\r\n0\r\n\r\n',
}


def echo(dev):
    dev.put_function('echo', command=['cat'])


def test_ambiguous_framing_is_refused_and_the_connection_closes(dev):
    echo(dev)
    before = dev.count()
    wrong = []
    for what, text in AMBIGUOUS.items():
        try:
            answer = dev.raw((text + NEXT).encode('latin-1'), finish=False, timeout=5)
        except TimeoutError:
            wrong.append(f'{what}: the connection stays open')
            continue
        head, _, body = answer.partition(b'\r\n\r\n')
        if not head.startswith(b'HTTP/1.1 400') or answer.count(b'HTTP/1.') != 1:
            wrong.append(f'{what}: {answer[:200]!r}')
        elif not json.loads(body)['type'].startswith(PROBLEMS):
            wrong.append(f'{what}: no problem document: {body!r}')
    assert not wrong, '\n'.join(wrong)
    equal(dev.count(), before, 'invocations')


def test_bad_chunks_create_nothing(dev):
    echo(dev)
    before = dev.count()
    for what, text in BAD_CHUNKS.items():
        answer = dev.raw((POST + 'Transfer-Encoding: chunked\r\n\r\n' + text + NEXT).encode())
        assert b' 202 ' not in answer and answer.count(b'HTTP/1.') <= 1, f'{what}: {answer[:300]!r}'
        assert answer == b'' or answer.startswith(b'HTTP/1.1 400'), f'{what}: {answer[:300]!r}'
    equal(dev.count(), before, 'invocations')


def test_what_is_no_http_gets_a_problem(dev):
    for text in (b'hello\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', b'\0' * 64,
                 b'GET\r\n\r\n', b'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
                 b'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', b'GET / HTTP/1.1 x\r\nHost: a\r\n\r\n'):
        answer = dev.raw(text)
        assert answer == b'' or answer.split(b' ')[1] in (b'400', b'404', b'505'), (text, answer)
    equal(dev.request('GET', '/v1/functions').status, 200, 'afterwards')


def test_a_header_too_large_is_431(dev):
    answer = dev.raw(b'GET /v1/functions HTTP/1.1\r\nHost: a\r\nX: ' + b'x' * 70_000 + b'\r\n\r\n')
    assert answer.startswith(b'HTTP/1.1 431'), answer[:200]
    fields = b''.join(b'X%d: y\r\n' % n for n in range(1500))
    answer = dev.raw(b'GET /v1/functions HTTP/1.1\r\nHost: a\r\n' + fields + b'\r\n')
    assert answer.startswith(b'HTTP/1.1 431'), answer[:200]


def test_pipelined_requests_are_answered_in_order(dev):
    echo(dev)
    answer = dev.raw((NEXT + 'GET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
                      ).encode(), finish=False)
    statuses = [int(p.split(b' ')[0]) for p in answer.split(b'HTTP/1.1 ')[1:]]
    equal(statuses, [200, 404], 'statuses')


def test_a_connection_is_kept_alive(dev):
    echo(dev)
    body = 'Content-Length: 5\r\n\r\nhello'
    last = POST + 'Connection: close\r\n' + body
    answer = dev.raw(((POST + body) * 3 + last).encode(), finish=False)
    equal(answer.count(b'HTTP/1.1 202'), 4, 'answers')


def test_expect_continue_is_refused_before_the_body(dev):
    echo(dev)
    for path, length, status in (('/v1/functions/nosuch/invocations', 5, 404),
                                 ('/v1/functions/echo/invocations', 1 << 40, 413)):
        answer = dev.raw(f'POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n'
                         f'Content-Length: {length}\r\n\r\n'.encode(), finish=False)
        assert answer.startswith(f'HTTP/1.1 {status}'.encode()), answer[:200]
    answer = dev.raw((POST + 'Expect: 100-continue\r\nInvocation-Timeout: banana\r\n'
                             'Content-Length: 5\r\n\r\n').encode(), finish=False)
    assert answer.startswith(b'HTTP/1.1 400'), answer[:200]


def test_expect_continue_asks_for_the_body(dev):
    echo(dev)
    with socket.create_connection(http_client.address_of(dev.public), timeout=10) as connection:
        connection.sendall((POST + 'Expect: 100-continue\r\nConnection: close\r\n'
                                   'Content-Length: 5\r\n\r\n').encode())
        first = connection.recv(4096)
        assert first.startswith(b'HTTP/1.1 100'), first
        connection.sendall(b'hello')
        rest = b''
        while part := connection.recv(4096):
            rest += part
    assert b'HTTP/1.1 202' in rest, rest


def test_an_unknown_expectation_is_refused(dev):
    echo(dev)
    answer = dev.raw((POST + 'Expect: miracles\r\nContent-Length: 5\r\n\r\nhello').encode())
    assert answer.startswith((b'HTTP/1.1 417', b'HTTP/1.1 400')), answer[:200]


def test_internal_and_admin_routes_are_404_on_the_public_port(dev):
    for method, path in (('POST', '/v1/instances:take'), ('POST', '/v1/status:batch'),
                         ('POST', '/v1/kill:batch'), ('POST', '/v1/ack:batch'),
                         ('POST', '/v1/instances:release'), ('POST', '/v1/reports'),
                         ('POST', '/v1/status'), ('GET', '/v1/state'), ('POST', '/v1/load'),
                         ('POST', '/v1/kill'), ('GET', '/metrics'), ('GET', '/livez'),
                         ('GET', '/readyz'), ('GET', '/debug')):
        problem(dev.request(method, path, b'{}' if method == 'POST' else None), 404,
                'unknown-route')


def test_the_internal_listener_wants_the_secret(dev):
    for headers in ({}, {'Authorization': 'Bearer wrong'}, {'Authorization': 'Basic eDp5'}):
        answer = http_client.request(dev.internal, 'POST', '/v1/status', b'{}', headers)
        problem(answer, 401, 'unauthorized')


def test_the_admin_listener_answers(dev):
    equal(http_client.request(dev.admin, 'GET', '/livez').status, 200, '/livez')
    equal(http_client.request(dev.admin, 'GET', '/readyz').status, 200, '/readyz')
    text = http_client.request(dev.admin, 'GET', '/metrics').body.decode()
    assert 'longhaul' in text and '# TYPE' in text, text[:300]


def test_a_thousand_half_open_connections_harm_nobody(dev):
    echo(dev)
    held = []
    try:
        for _ in range(1000):
            connection = socket.create_connection(http_client.address_of(dev.public), timeout=10)
            connection.sendall(b'POST /v1/functions/echo/inv')
            held.append(connection)
        equal(dev.run('echo', b'still here')[1], b'still here', 'result')
    finally:
        for connection in held:
            connection.close()
