"""Who goes next: floods, keys, priorities, and what a queue tells of itself."""

from harness import equal, problem, until

# Notes when it began, and waits for its gate or that of its function.
GATED = ('e=$LONGHAUL_FUNCTION-$(cat); date +%s%N > "$DIR/ran-$e"; '
         'while [ ! -e "$DIR/go-$e" ] && [ ! -e "$DIR/go-$LONGHAUL_FUNCTION" ]; '
         'do sleep 0.05; done')
OTHER = {'Invocation-Tenant': 'other'}


def order(dev, function):
    """The events that have begun, the first one first."""
    begun = []
    for file in dev.files(f'ran-{function}-'):
        if text := dev.read(file).strip():
            begun.append((int(text), file.rsplit('-', 1)[1]))
    return [event for _, event in sorted(begun)]


def path(function):
    return f'/v1/functions/{function}/invocations'


def test_a_flood_of_one_tenant_lets_anothers_single_submit_pass(fresh):
    fresh.set('gateway.limits.global_max=2')
    fresh.start()
    fresh.shell('flood', GATED, max_running=100)
    document = fresh.request('GET', '/v1/functions/flood').json()
    del document['version']
    equal(fresh.request('PUT', '/v1/functions/flood', document, OTHER).status, 201, 'put')
    made = [fresh.submit('flood', f'f{number}'.encode())['id'] for number in range(300)]
    single = fresh.request('POST', path('flood'), b'single', OTHER).json()
    equal((single['state'], single['wait_reason']), ('queued', 'global_limit'), 'single')
    equal(fresh.get(made[299])['position'], 298, 'position of the last')
    until(lambda: sorted(order(fresh, 'flood')) == ['f0', 'f1'], 'the first two run')
    fresh.touch('go-flood-f0')  # one slot turn
    until(lambda: len(order(fresh, 'flood')) == 3, 'the next one runs')
    equal(order(fresh, 'flood')[2], 'single', 'the next')
    fresh.touch('go-flood')
    for invocation in (made[0], made[150], made[299]):
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')


def test_runs_of_one_key_do_not_overlap(dev):
    dev.shell('keyed', GATED, max_running=10)
    first = dev.submit('keyed', b'k1', {'Invocation-Concurrency-Key': 'k'})
    second = dev.submit('keyed', b'k2', {'Invocation-Concurrency-Key': '"k"'})
    other = dev.submit('keyed', b'other', {'Invocation-Concurrency-Key': 'other'})
    equal((first['concurrency_key'], second['concurrency_key']), ('k', 'k'), 'keys')
    dev.wait_state(first['id'], 'running')
    dev.wait_state(other['id'], 'running')
    waiting = dev.get(second['id'])
    equal((waiting['state'], waiting['wait_reason'], waiting['position']),
          ('queued', 'key_limit', 1), 'second')
    equal(dev.request('GET', '/v1/functions/keyed/queue').json()['blocked_by'], 'key_limit',
          'queue')
    dev.touch('go-keyed-k1')
    dev.wait_state(second['id'], 'running')
    dev.touch('go-keyed')
    for document in (first, second, other):
        equal(dev.wait(document['id'])['state'], 'succeeded', 'end')


def test_an_urgent_submit_overtakes_and_a_lazy_one_waits(dev):
    dev.shell('urgency', GATED, max_running=1)
    ids = [dev.submit('urgency', event, {'Priority': priority})['id'] for event, priority in (
        (b'first', 'u=3'), (b'lazy', 'u=7'), (b'usual', 'i'), (b'urgent', 'u=0, i'))]
    equal([dev.get(invocation)['position'] for invocation in ids[1:]], [3, 2, 1], 'positions')
    queue = dev.request('GET', '/v1/functions/urgency/queue').json()
    equal(queue['by_priority'], {'0': 1, '3': 1, '7': 1}, 'by priority')
    dev.touch('go-urgency')
    for invocation in ids:
        equal(dev.wait(invocation)['state'], 'succeeded', 'end')
    equal(order(dev, 'urgency'), ['first', 'urgent', 'usual', 'lazy'], 'order')


def test_a_queue_says_how_it_stands(dev):
    dev.shell('standing', GATED, max_running=1, max_queued_bytes=10)
    first = dev.submit('standing', b'one')
    dev.wait_state(first['id'], 'running')
    second = dev.submit('standing', b'12345678')
    queue = dev.request('GET', '/v1/functions/standing/queue').json()
    equal((queue['queued'], queue['queued_bytes'], queue['running'], queue['blocked_by']),
          (1, 8, 1, 'function_limit'), 'queue')
    equal((queue['oldest_queued_at'], queue['drain_per_second']), (second['created_at'], None),
          'oldest, and what is known of its pace')
    assert queue['oldest_age'], queue
    answer = dev.request('POST', path('standing'), b'123')
    document = problem(answer, 429, 'queue-full', 'max_queued_bytes')
    equal((document['limit'], document['scope']), (10, 'function'), 'limit and scope')
    assert 1 <= int(answer.header('retry-after')) <= 3600, answer
    dev.touch('go-standing')
    equal(dev.wait(second['id'])['state'], 'succeeded', 'end')
    queue = dev.request('GET', '/v1/functions/standing/queue').json()
    assert queue['drain_per_second'] > 0, queue
    equal((queue['queued'], queue['queued_bytes'], queue['oldest_age']), (0, 0, None), 'queue')


def test_a_priority_or_key_that_is_none_is_refused(dev):
    dev.put_function('strict', command=['true'])
    for name, value in (('Priority', 'u=8'), ('Priority', 'u=-1'), ('Priority', 'u=high'),
                        ('Invocation-Concurrency-Key', ''),
                        ('Invocation-Concurrency-Key', 'k' * 256)):
        problem(dev.request('POST', path('strict'), b'', {name: value}), 400, 'invalid-header',
                name)
