"""What a later version brings is refused by name, and nothing is left behind."""

from harness import equal, problem


def test_headers(dev):
    dev.put_function('echo', command=['cat'])
    before = dev.count()
    name, value = 'Invocation-Callback-URL', 'http://127.0.0.1:1/'
    answer = dev.request('POST', '/v1/functions/echo/invocations', b'', {name: value})
    problem(answer, 501, 'not-available', name)
    equal(dev.count(), before, 'invocations')


def test_function_fields(dev):
    basis = {'mode': 'exec', 'command': ['true']}
    for member, value in (('sidecar', {'command': ['mesh']}), ('reserved', 1),
                          ('callbacks', ['http://127.0.0.1:1/'])):
        answer = dev.request('PUT', '/v1/functions/later', {**basis, member: value})
        problem(answer, 501, 'not-available', member.split('.')[0])
    problem(dev.request('GET', '/v1/functions/later'), 404, 'unknown-function')


def test_their_defaults_are_accepted(dev):
    dev.put_function('plain', command=['true'], retry={'max_attempts': 1}, concurrency=1,
                     sidecar=None, reserved=0, callbacks=[])


def test_a_query_parameter_that_nobody_reads_is_refused_by_name(dev):
    dev.put_function('echo', command=['cat'])
    document, _ = dev.run('echo')
    own = f'/v1/invocations/{document["id"]}'
    before = dev.count()
    for method, path in (('GET', own), ('GET', own + '/attempts'), ('GET', own + '/result'),
                         ('GET', own + '/logs'), ('GET', own + '/events'),
                         ('POST', own + '/cancel'), ('POST', own + '/kill'),
                         ('GET', '/v1/invocations'), ('GET', '/v1/invocations:count'),
                         ('POST', '/v1/invocations:batchGet'), ('GET', '/v1/events/stream'),
                         ('GET', '/v1/functions'), ('PUT', '/v1/functions/echo'),
                         ('POST', '/v1/functions/echo/queue/pause'), ('GET', '/v1/hosts'),
                         ('POST', '/v1/functions/echo/invocations'), ('GET', '/v1/limits')):
        answer = dev.request(method, path + '?wat=1', b'{}' if method != 'GET' else None)
        problem(answer, 400, 'invalid-parameter', 'wat')
    equal(dev.count(), before, 'invocations')
