"""Submit: the 202, keys, chosen ids, waiting, and everything that is refused."""

import uuid

import http_client
from harness import equal, problem, until

SUBMIT = '/v1/functions/echo/invocations'


def echo(dev):
    dev.put_function('echo', command=['cat'])


def test_submit_wait_and_result(dev):
    echo(dev)
    answer = dev.request('POST', SUBMIT, b'hello', {'Content-Type': 'text/plain'})
    equal(answer.status, 202, 'status')
    document = answer.json()
    equal(answer.header('location'), f'/v1/invocations/{document["id"]}', 'Location')
    equal(answer.header('invocation-id'), document['id'], 'Invocation-Id')
    assert answer.header('retry-after'), 'no Retry-After'
    for link in ('self', 'result', 'logs', 'events', 'cancel'):
        assert link in document['links'], document['links']
    ended = dev.wait(document['id'])
    equal(ended['state'], 'succeeded', 'state')
    assert ended['created_at'] and ended['started_at'] and ended['ended_at'], ended
    equal(dev.result(document['id']), b'hello', 'result')


def test_an_empty_and_a_chunked_body(dev):
    echo(dev)
    equal(dev.run('echo')[1], b'', 'result of an empty event')
    answer = dev.raw(f'POST {SUBMIT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
                     'Transfer-Encoding: chunked\r\n\r\n'
                     '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n'.encode(), finish=False)
    assert answer.startswith(b'HTTP/1.1 202'), answer
    status, headers = http_client.parse_head(answer.split(b'\r\n\r\n')[0])
    equal(status, 202, 'status')
    invocation = dict(headers)['invocation-id']
    dev.wait(invocation)
    equal(dev.result(invocation), b'hello world', 'result')


def test_prefer_wait_gives_the_functions_own_bytes(dev):
    echo(dev)
    answer = dev.request('POST', SUBMIT, b'now', {'Prefer': 'wait=20'})
    equal((answer.status, answer.body), (200, b'now'), 'answer')
    equal(answer.header('invocation-status'), 'succeeded', 'Invocation-Status')
    assert 'wait' in (answer.header('preference-applied') or ''), answer.headers
    timing = dict(stage.split(';dur=') for stage in answer.header('server-timing').split(', '))
    assert float(timing['run']) >= 0 and 'route' in timing, timing


def test_prefer_wait_gives_the_document_of_a_failure(dev):
    dev.shell('sad', 'exit 3')
    answer = dev.request('POST', '/v1/functions/sad/invocations', b'', {'Prefer': 'wait=20'})
    equal((answer.status, answer.header('invocation-status')), (200, 'failed'), 'answer')
    equal(answer.json()['error']['exit_code'], 3, 'exit code')


def test_prefer_wait_that_ends_too_late_is_202(dev):
    dev.shell('long', 'sleep 600')
    answer = dev.request('POST', '/v1/functions/long/invocations', b'', {'Prefer': 'wait=1'})
    equal(answer.status, 202, 'status')
    dev.kill(answer.json()['id'])


def test_labels_are_kept(dev):
    echo(dev)
    document = dev.submit('echo', b'', {'Invocation-Label': ['team=red', 'env=x']})
    equal(document['labels'], {'team': 'red', 'env': 'x'}, 'labels')


def test_an_unknown_function_is_404_before_the_202(dev):
    problem(dev.request('POST', '/v1/functions/nosuch/invocations', b'x'), 404,
            'unknown-function', 'nosuch')


def test_a_wrong_method_is_405_with_allow(dev):
    answer = dev.request('PATCH', SUBMIT, b'')
    problem(answer, 405, 'method-not-allowed')
    assert 'POST' in answer.header('allow'), answer.headers


def test_an_unknown_route_is_404(dev):
    problem(dev.request('GET', '/v1/nothing'), 404, 'unknown-route')
    problem(dev.request('GET', '/'), 404, 'unknown-route')


def test_an_oversize_body_is_413_and_names_the_limit(dev):
    dev.put_function('small', command=['cat'], body_max='1KiB')
    before = dev.count()
    document = problem(dev.request('POST', '/v1/functions/small/invocations', b'x' * 1025), 413,
                       'payload-too-large')
    equal(document.get('limit'), 1024, 'limit')
    chunks = b'400\r\n' + b'x' * 1024 + b'\r\n' + b'400\r\n' + b'x' * 1024 + b'\r\n0\r\n\r\n'
    answer = dev.raw(b'POST /v1/functions/small/invocations HTTP/1.1\r\nHost: a\r\n'
                     b'Transfer-Encoding: chunked\r\n\r\n' + chunks)
    assert answer.startswith(b'HTTP/1.1 413'), answer
    equal(dev.run('small', b'x' * 1024)[1], b'x' * 1024, 'exactly the limit')
    equal(dev.count(), before + 1, 'invocations')


def test_bad_header_values_are_named(dev):
    echo(dev)
    before = dev.count()
    for name, value in (
            ('Invocation-Timeout', 'banana'), ('Invocation-Timeout', '-5s'),
            ('Invocation-Timeout', '0'), ('Invocation-Timeout', '9' * 40 + 's'),
            ('Invocation-Queue-TTL', 'soon'), ('Invocation-Deadline', 'yesterday'),
            ('Invocation-Deadline', '2001-01-01T00:00:00Z'), ('Invocation-Label', 'novalue'),
            ('Invocation-Label', 'UPPER=x'), ('Invocation-Label', 'k=' + 'v' * 300),
            ('Idempotency-Key', ''), ('Idempotency-Key', 'k' * 300),
            ('Invocation-Colour', 'red')):
        answer = dev.request('POST', SUBMIT, b'x', {name: value})
        problem(answer, 400, 'invalid-header', name)
    equal(dev.count(), before, 'invocations')


def test_too_many_labels_are_refused(dev):
    echo(dev)
    answer = dev.request('POST', SUBMIT, b'', {'Invocation-Label': [f'k{n}=v' for n in range(17)]})
    problem(answer, 400, 'invalid-header', 'Invocation-Label', '16')


def test_names_that_climb_are_refused(dev):
    for path in ('/v1/functions/../invocations', '/v1/functions/%2e%2e/invocations',
                 '/v1/functions/..%2f..%2fetc/invocations', '/v1/functions/a.b/invocations',
                 '/v1/functions/' + 'a' * 64 + '/invocations'):
        answer = dev.request('POST', path, b'x')
        assert answer.status in (400, 404), f'{path} gave {answer}'
        assert answer.header('content-type') == 'application/problem+json', answer
    for path in ('/v1/functions/..', '/v1/functions/%2e%2e', '/v1/functions/a%2fb',
                 '/v1/functions/UPPER', '/v1/functions/a%00b'):
        answer = dev.request('PUT', path, {'mode': 'exec', 'command': ['true']})
        assert answer.status in (400, 404), f'{path} gave {answer}'
    for invocation in ('..', '%2e%2e', '.hidden', 'a%2fb', 'x' * 65, 'a%20b'):
        answer = dev.request('PUT', f'{SUBMIT}/{invocation}', b'x')
        assert answer.status in (400, 404), f'{invocation} gave {answer}'


def test_a_chosen_id_is_idempotent(dev):
    echo(dev)
    path = f'{SUBMIT}/job-{uuid.uuid4()}'
    first = dev.request('PUT', path, b'one', {'Content-Type': 'text/plain'})
    equal(first.status, 202, 'first')
    again = dev.request('PUT', path, b'one', {'Content-Type': 'text/plain'})
    equal((again.status, again.json()['id']), (200, first.json()['id']), 'again')
    other = dev.request('PUT', path, b'two', {'Content-Type': 'text/plain'})
    problem(other, 422, 'idempotency-mismatch')
    other = dev.request('PUT', path, b'one', {'Content-Type': 'text/html'})
    problem(other, 422, 'idempotency-mismatch')
    dev.wait(first.json()['id'])
    again = dev.request('PUT', path, b'one', {'Content-Type': 'text/plain'})
    equal((again.status, again.json()['state']), (200, 'succeeded'), 'after the end')


def test_a_key_is_one_invocation(dev):
    dev.shell('keyed', 'cat; while [ ! -e "$DIR/go-keyed" ]; do sleep 0.05; done')
    path = '/v1/functions/keyed/invocations'
    key = f'"{uuid.uuid4()}"'
    first = dev.request('POST', path, b'one', {'Idempotency-Key': key})
    equal((first.status, first.header('idempotency-replayed')), (202, None), 'first')
    again = dev.request('POST', path, b'one', {'Idempotency-Key': key})
    equal((again.status, again.header('idempotency-replayed')), (202, 'true'), 'live')
    equal(again.header('location'), first.header('location'), 'Location')
    bare = dev.request('POST', path, b'one', {'Idempotency-Key': key.strip('"')})
    equal(bare.header('location'), first.header('location'), 'Location of the bare key')
    problem(dev.request('POST', path, b'two', {'Idempotency-Key': key}), 422,
            'idempotency-mismatch')
    problem(dev.request('POST', path, b'one', {'Idempotency-Key': key,
                                               'Invocation-Timeout': '9s'}),
            422, 'idempotency-mismatch')
    dev.touch('go-keyed')
    dev.wait(first.json()['id'])
    again = dev.request('POST', path, b'one', {'Idempotency-Key': key})
    equal((again.status, again.header('idempotency-replayed')), (200, 'true'), 'ended')


def test_the_same_key_of_another_function_or_tenant_is_another(dev):
    echo(dev)
    dev.put_function('echo2', command=['cat'])
    key = {'Idempotency-Key': str(uuid.uuid4())}
    first = dev.submit('echo', b'x', key)
    second = dev.submit('echo2', b'x', key)
    assert first['id'] != second['id']


def test_a_body_that_stops_half_way_creates_nothing(dev):
    echo(dev)
    before = dev.count()
    for framing, part in (('Content-Length: 100', b'x' * 50),
                          ('Transfer-Encoding: chunked', b'64\r\n' + b'x' * 50),
                          ('Transfer-Encoding: chunked', b'4\r\nxxxx\r\n')):
        name = f'half-{uuid.uuid4()}'
        head = f'PUT {SUBMIT}/{name} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n'.encode()
        answer = dev.raw(head + part)
        assert b' 202 ' not in answer.split(b'\r\n')[0], answer
        problem(dev.request('GET', f'/v1/invocations/{name}'), 404, 'unknown-invocation')
    equal(dev.count(), before, 'invocations')


def test_a_full_queue_is_429(dev):
    dev.shell('narrow', 'sleep 600', max_running=1, max_queued=2)
    running = dev.submit('narrow')['id']
    dev.wait_state(running, 'running')
    queued = [dev.submit('narrow')['id'] for _ in range(2)]
    answer = dev.request('POST', '/v1/functions/narrow/invocations', b'')
    document = problem(answer, 429, 'queue-full')
    assert answer.header('retry-after'), 'no Retry-After'
    equal((document.get('limit'), document.get('scope')), (2, 'function'), 'limit and scope')
    for invocation in queued + [running]:
        dev.kill(invocation)
    dev.wait(running)


def test_an_event_expires_in_the_queue(dev):
    dev.shell('patient', 'sleep 600', max_running=1)
    running = dev.submit('patient')['id']
    dev.wait_state(running, 'running')
    late = dev.submit('patient', b'', {'Invocation-Queue-TTL': '1s'})['id']
    equal(dev.wait(late, timeout=15)['state'], 'expired', 'state')
    dev.kill(running)
    dev.wait(running)


def test_another_tenants_work_is_404(dev):
    echo(dev)
    invocation = dev.submit('echo')['id']
    answer = dev.request('GET', f'/v1/invocations/{invocation}', headers={
        'Invocation-Tenant': 'somebody'})
    problem(answer, 404, 'unknown-invocation')
    answer = dev.request('POST', SUBMIT, b'', {'Invocation-Tenant': 'somebody'})
    problem(answer, 404, 'unknown-function')


def test_idle_instances_are_used_again(dev):
    dev.put_function('again', command=['cat'], max_running=1)
    first, _ = dev.run('again', b'1')
    # Of several hosts the one that has it loaded is chosen once that is known.
    until(lambda: any(entry['function'] == 'again'
                      for host in dev.request('GET', '/v1/hosts').json()['hosts']
                      for entry in host['loaded']), 'its host is known to have it loaded')
    second, _ = dev.run('again', b'2')
    equal(first['attempts'][0]['instance'], second['attempts'][0]['instance'], 'instance')
    until(lambda: dev.request('GET', '/v1/functions/again/queue').json()['running'] == 0,
          'the slot is free')
