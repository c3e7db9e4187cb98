"""Stops and crashes of `longhaul dev`: what was acknowledged stays, what runs goes on."""

import signal
import subprocess
import time

from harness import ENDED, binary, equal, limit, only_dev, until

# Leaves a file per start, and waits to be let go.
GATED = ('t=$(cat); mktemp "$DIR/start-$t.XXXXXX" > /dev/null; echo up >&2; '
         'while [ ! -e "$DIR/go" ]; do sleep 0.05; done; echo "result of $t"')


def test_ready_soon_and_stopped_soon(fresh):
    fresh.start()
    start = time.monotonic()
    equal(fresh.stop(signal.SIGTERM), 0, 'exit code')
    assert time.monotonic() - start < 10, 'it took too long to stop'


def test_a_run_survives_sigterm_and_is_adopted(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    invocation = fresh.submit('gated', b'one')['id']
    fresh.wait_state(invocation, 'running')
    until(lambda: fresh.files('start-one'), 'it has started')
    before = set(fresh.processes())
    equal(fresh.stop(signal.SIGTERM), 0, 'exit code')
    assert before & set(fresh.processes()), 'the run died with SIGTERM'
    fresh.start()
    equal(fresh.get(invocation)['state'], 'running', 'state after the restart')
    fresh.touch('go')
    document = fresh.wait(invocation)
    equal((document['state'], len(document['attempts'])), ('succeeded', 1), 'end and attempts')
    equal(fresh.result(invocation), b'result of one\n', 'result')
    equal(len(fresh.files('start-one')), 1, 'starts')


def test_a_run_that_ends_while_longhaul_is_down(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    invocation = fresh.submit('gated', b'two')['id']
    until(lambda: fresh.files('start-two'), 'it has started')
    fresh.kill_9()
    fresh.touch('go')
    until(lambda: not [c for c in fresh.processes().values() if 'mktemp' in c],
          'the function has ended')
    fresh.start()
    equal(fresh.wait(invocation)['state'], 'succeeded', 'end')
    equal(fresh.result(invocation), b'result of two\n', 'result')
    equal(fresh.logs(invocation), 'up\n', 'logs')
    equal(len(fresh.files('start-two')), 1, 'starts')


def test_everything_acknowledged_is_there_after_kill_9(fresh):
    fresh.start()
    fresh.shell('gated', GATED, max_running=2)
    made = [fresh.submit('gated', f'n{n}'.encode(), {'Invocation-Label': f'n={n}',
                                                     'Idempotency-Key': f'key-{n}'})['id']
            for n in range(10)]
    ended = fresh.submit('gated', b'ended')['id']
    fresh.cancel(ended)
    fresh.wait(ended)
    fresh.request('POST', '/v1/functions/gated/queue/pause')
    fresh.kill_9()
    fresh.start()
    equal(fresh.request('GET', '/v1/functions/gated/queue').json()['paused'], True, 'paused')
    equal(fresh.get(ended)['state'], 'cancelled', 'state of the cancelled one')
    listed = fresh.request('GET', '/v1/invocations?function=gated&state=live&order=asc').json()
    equal([d['id'] for d in listed['invocations']], made, 'live ones')
    equal(fresh.get(made[3])['labels'], {'n': '3'}, 'labels')
    again = fresh.request('POST', '/v1/functions/gated/invocations', b'n3', {
        'Idempotency-Key': 'key-3', 'Invocation-Label': 'n=3'})
    equal((again.json()['id'], again.header('idempotency-replayed')), (made[3], 'true'), 'key')
    fresh.request('POST', '/v1/functions/gated/queue/resume')
    fresh.touch('go')
    for number, invocation in enumerate(made):
        equal(fresh.wait(invocation)['state'], 'succeeded', f'end of {number}')
        equal(len(fresh.files(f'start-n{number}.')), 1, f'starts of {number}')


def test_a_kill_is_remembered_over_a_crash(fresh):
    fresh.start()
    fresh.shell('deaf', 'trap "" TERM; echo up >&2; while :; do sleep 0.1; done',
                kill_grace='5s')
    invocation = fresh.submit('deaf')['id']
    until(lambda: 'up' in fresh.logs(invocation), 'its trap is set')
    fresh.kill(invocation)
    fresh.kill_9()
    fresh.start()
    document = fresh.wait(invocation, 30)
    equal((document['state'], document['stop']['confirmed']), ('killed', True), 'end')
    until(lambda: not [c for c in fresh.processes().values() if 'trap' in c], 'it is gone')


def test_a_large_event_survives_a_crash(fresh):
    fresh.start()
    fresh.shell('sum', 'while [ ! -e "$DIR/go" ]; do sleep 0.05; done; wc -c', max_running=1)
    made = [fresh.submit('sum', b'x' * 500_000)['id'] for _ in range(3)]
    fresh.kill_9()
    fresh.start()
    fresh.touch('go')
    for invocation in made:
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')
        equal(fresh.result(invocation).split(), [b'500000'], 'bytes that arrived')


@only_dev
@limit(90)
def test_ctrl_c_waits_for_what_runs(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    fresh.submit('gated', b'last')
    until(lambda: fresh.files('start-last'), 'it has started')
    fresh.send(signal.SIGINT)
    until(lambda: fresh.request('POST', '/v1/functions/gated/invocations', b'x').status == 503,
          'new work is refused')
    assert fresh.alive()
    fresh.touch('go')
    equal(fresh.process.wait(30), 0, 'exit code')


@only_dev
def test_a_second_ctrl_c_kills(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    fresh.submit('gated', b'gone')
    until(lambda: fresh.files('start-gone'), 'it has started')
    fresh.send(signal.SIGINT)
    until(lambda: fresh.request('POST', '/v1/functions/gated/invocations', b'x').status == 503,
          'new work is refused')
    fresh.send(signal.SIGINT)
    fresh.process.wait(20)
    until(lambda: not [c for c in fresh.processes().values() if 'mktemp' in c],
          'what ran is gone')


@only_dev
def test_two_on_one_folder_are_refused(fresh):
    fresh.start()
    second = subprocess.run([binary(), 'dev', '--data-dir', fresh.data, '--port', '0'],
                            capture_output=True, timeout=20, check=False)
    assert second.returncode != 0, 'a second one took the same folder'
    assert fresh.data.encode() in second.stdout + second.stderr, second
    equal(fresh.request('GET', '/v1/functions').status, 200, 'the first one')


def test_idle_instances_are_found_again_or_cleaned_up(fresh):
    fresh.start()
    fresh.put_function('echo', command=['cat'])
    fresh.run('echo', b'1')
    fresh.kill_9()
    fresh.start()
    equal(fresh.run('echo', b'2')[1], b'2', 'result')
    states = {d['state'] for d in fresh.request('GET', '/v1/invocations').json()['invocations']}
    assert states <= set(ENDED), states
