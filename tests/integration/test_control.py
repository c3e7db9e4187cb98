"""Cancel and kill: of what waits, of what runs, and of what does not want to go."""

import time

from harness import equal, problem, until

# Ignores SIGTERM, forks twice into a session of its own, and holds its pipes; one of the daemons
# has thrown away its environment.
STUBBORN = r'''
trap "" TERM INT HUP
(setsid sh -c 'trap "" TERM; while :; do sleep 0.2; done' &)
(setsid env -i sh -c 'trap "" TERM; while :; do sleep 0.2; done' "$MARK" &)
echo up >&2
while :; do sleep 0.2; done
'''


def sleeper(dev, name, **document):
    dev.shell(name, 'echo up >&2; exec sleep 600', **document)


def running(dev, name):
    invocation = dev.submit(name)['id']
    dev.wait_state(invocation, 'running')
    return invocation


def test_kill_of_a_running_one(dev):
    sleeper(dev, 'victim')
    invocation = running(dev, 'victim')
    answer = dev.kill(invocation, {'reason': 'no longer wanted'})
    assert answer.status in (200, 202), answer
    document = dev.wait(invocation, 20)
    equal(document['state'], 'killed', 'state')
    equal((document['stop']['cause'], document['stop']['reason'], document['stop']['confirmed']),
          ('kill', 'no longer wanted', True), 'stop')
    equal([p for p in dev.processes().values() if 'sleep 600' in p], [], 'processes')
    equal(dev.kill(invocation).status, 200, 'a repeated kill')


def test_kill_of_what_ignores_it_and_double_forks(dev):
    grace = 1.0
    dev.shell('stubborn', STUBBORN, kill_grace=f'{grace:g}s')
    invocation = running(dev, 'stubborn')
    until(lambda: 'up' in dev.logs(invocation), 'it says that it is up')
    ours = set(dev.processes())
    until(lambda: len([c for c in dev.processes().values() if 'trap' in c]) >= 3, 'three shells')
    ours |= set(dev.processes())
    start = time.monotonic()
    dev.kill(invocation)
    until(lambda: not [c for c in dev.processes().values() if 'trap' in c or 'sleep' in c],
          'its processes are gone', grace + 5)
    took = time.monotonic() - start
    assert took < grace + 1, f'gone only after {took:.2f} s'
    document = dev.wait(invocation, 20)
    equal((document['state'], document['stop']['confirmed'], document['stop']['signal']),
          ('killed', True, 'SIGKILL'), 'end')
    dev.put_function('echo', command=['cat'])
    equal(dev.run('echo', b'next')[1], b'next', 'result of the next one')


def test_kill_of_a_queued_one_never_starts_it(dev):
    dev.shell('onlyone', 'touch "$DIR/ran-$(cat)"; exec sleep 600', max_running=1)
    first = dev.submit('onlyone', b'first')['id']
    until(lambda: dev.files('ran-first'), 'the first has begun')
    for verb in (dev.kill, dev.cancel):
        waiting = dev.submit('onlyone', b'second')['id']
        document = dev.wait_state(waiting, 'queued')
        equal(document['wait_reason'], 'function_limit', 'wait_reason')
        answer = verb(waiting)
        equal(answer.status, 200, 'status')
        equal(dev.get(waiting)['state'], 'cancelled', 'state')
    dev.kill(first)
    dev.wait(first)
    equal(dev.files('ran-'), ['ran-first'], 'what ran')


def test_cancel_lets_the_function_end_by_itself(dev):
    dev.shell('polite', 'trap "echo tidying >&2; exit 0" TERM; echo up >&2; '
                        'while :; do sleep 0.05; done')
    invocation = running(dev, 'polite')
    until(lambda: 'up' in dev.logs(invocation), 'its trap is set')
    equal(dev.cancel(invocation, {'reason': 'enough'}).status, 202, 'status')
    document = dev.wait(invocation, 20)
    equal((document['state'], document['stop']['cause']), ('cancelled', 'cancel'), 'end')
    assert 'tidying' in dev.logs(invocation)


def test_cancel_past_its_grace_is_killed(dev):
    dev.shell('deaf', STUBBORN)
    invocation = running(dev, 'deaf')
    until(lambda: 'up' in dev.logs(invocation), 'its trap is set')
    dev.cancel(invocation, {'grace': '500ms'})
    equal(dev.wait(invocation, 20)['state'], 'killed', 'state')


def test_kill_escalates_a_cancel(dev):
    dev.shell('deaf', STUBBORN, cancel_grace='10m', kill_grace='500ms')
    invocation = running(dev, 'deaf')
    until(lambda: 'up' in dev.logs(invocation), 'its trap is set')
    equal(dev.cancel(invocation).status, 202, 'cancel')
    equal(dev.get(invocation)['state'], 'stopping', 'state')
    dev.kill(invocation)
    document = dev.wait(invocation, 20)
    equal((document['state'], document['stop']['cause']), ('killed', 'kill'), 'end')


def test_what_has_ended_is_not_stopped(dev):
    dev.put_function('echo', command=['cat'])
    invocation = dev.run('echo')[0]['id']
    for verb in (dev.kill, dev.cancel):
        document = problem(verb(invocation), 409, 'already-finished')
        equal(document['invocation']['state'], 'succeeded', 'member invocation')


def test_wrong_bodies_are_named(dev):
    sleeper(dev, 'steady')
    invocation = running(dev, 'steady')
    for body, member in (({'grace': 'banana'}, 'grace'), ({'grace': -1}, 'grace'),
                         ({'reason': 7}, 'reason'), ({'colour': 'red'}, 'colour')):
        answer = dev.cancel(invocation, body)
        assert answer.status == 400 and member in answer.json()['detail'], answer
    equal(dev.get(invocation)['state'], 'running', 'state')
    dev.kill(invocation)
    dev.wait(invocation)


def test_after_a_kill_the_instance_is_not_used_again(dev):
    dev.shell('reborn', '[ "$(cat)" = stay ] && exec sleep 600; exit 0', max_running=1)
    first = dev.submit('reborn', b'stay')['id']
    dev.wait_state(first, 'running')
    dev.kill(first)
    killed = dev.wait(first)
    after, _ = dev.run('reborn', b'go')
    assert killed['attempts'][0]['instance'] != after['attempts'][0]['instance'], after


def test_a_deadline_ends_what_runs(dev):
    sleeper(dev, 'doomed', timeout_grace='1s')
    invocation = dev.submit('doomed', b'', {'Invocation-Deadline': '2s'})['id']
    document = dev.wait(invocation, 20)
    equal((document['state'], document['error']['reason']), ('timed_out', 'deadline'), 'end')


def test_a_paused_queue_starts_nothing(dev):
    dev.put_function('paused', command=['true'])
    equal(dev.request('POST', '/v1/functions/paused/queue/pause').json()['paused'], True, 'paused')
    invocation = dev.submit('paused')['id']
    document = dev.get(invocation)
    equal((document['state'], document['wait_reason']), ('queued', 'paused'), 'while paused')
    equal(dev.request('POST', '/v1/functions/paused/queue/resume').json()['paused'], False,
          'resumed')
    equal(dev.wait(invocation)['state'], 'succeeded', 'end')
