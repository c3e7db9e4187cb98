"""A host that is to become empty: no new work; what runs finishes, or is stopped and says so."""

import json
import subprocess

from cli_helper import NOT_FOUND, cli, succeed
from harness import binary, equal, problem, until

GATED = ('t=$(cat); mktemp "$DIR/start-$t.XXXXXX" > /dev/null; '
         'while [ ! -e "$DIR/go" ]; do sleep 0.05; done; echo "result of $t"')


def host_of(dev):
    hosts = dev.request('GET', '/v1/hosts').json()['hosts']
    equal(len(hosts), 1, 'hosts')
    return hosts[0]['host']


def drain(dev, host, order=None):
    answer = dev.request('POST', f'/v1/hosts/{host}/drain', order)
    assert answer.status == 200, answer
    return answer.json()


def look(dev, host):
    answer = dev.request('GET', f'/v1/hosts/{host}/drain')
    assert answer.status == 200, answer
    return answer.json()


def running(dev, tag):
    invocation = dev.submit('gated', tag.encode())['id']
    dev.wait_state(invocation, 'running')
    until(lambda: dev.files(f'start-{tag}'), 'it has started')
    return invocation


def test_a_drain_lets_what_runs_finish_and_takes_nothing_new(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    host = host_of(fresh)
    equal(look(fresh, host)['draining'], False, 'draining before')
    invocation = running(fresh, 'one')
    told = drain(fresh, host, {'reason': 'a new disk'})
    equal((told['host'], told['draining'], told['drained'], told['drain_by'], told['reason']),
          (host, True, False, None, 'a new disk'), 'answer')
    blocking = told['blocking'][0]
    equal((blocking['invocation'], blocking['attempt'], blocking['function'], blocking['state']),
          (invocation, 1, 'gated', 'running'), 'what blocks')
    document = fresh.get(invocation)
    equal(blocking['since'], document['started_at'], 'since')
    assert document['started_at'] < blocking['until'] <= document['deadline'], blocking
    waiting = fresh.submit('gated', b'two')['id']
    until(lambda: fresh.get(waiting)['wait_reason'] == 'no_capacity', 'it waits for a host')
    until(lambda: fresh.request('GET', '/v1/hosts').json()['hosts'][0]['draining'], 'it is listed')
    fresh.touch('go')
    equal(fresh.wait(invocation)['state'], 'succeeded', 'end of what ran')
    equal(fresh.result(invocation), b'result of one\n', 'result')
    until(lambda: look(fresh, host)['drained'], 'it is drained')
    equal(look(fresh, host)['instances'], 0, 'instances that are left')
    equal(fresh.get(waiting)['state'], 'queued', 'what waits')
    equal(drain(fresh, host, {'drain': False})['draining'], False, 'draining after')
    equal(fresh.wait(waiting)['state'], 'succeeded', 'end of what waited')
    equal(len(fresh.files('start-two')), 1, 'starts')


def test_what_still_runs_at_drain_by_is_stopped_and_says_so(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    host = host_of(fresh)
    invocation = running(fresh, 'late')
    told = drain(fresh, host, {'drain_by': '1s', 'reason': 'a new disk'})
    assert told['blocking'][0]['until'] == told['drain_by'], told
    document = fresh.wait(invocation)
    error = document['error']
    equal((document['state'], error['reason'], error['fault']), ('failed', 'lost', 'platform'),
          'end')
    for word in ('drain', host, 'a new disk'):
        assert word in error['evidence'], error
    equal((document['attempts'][0]['outcome'], document['stop']), ('lost', None), 'attempt, stop')
    assert 'drain' in fresh.logs(invocation), 'its log does not say why'
    until(lambda: not [c for c in fresh.processes().values() if 'mktemp' in c], 'it is gone')
    until(lambda: look(fresh, host)['drained'], 'it is drained')
    equal(len(fresh.files('start-late')), 1, 'starts')


def test_a_cancel_under_way_stays_a_cancel(fresh):
    fresh.arguments = ['--set', 'host_agent.drain_grace=300ms']
    fresh.start()
    fresh.shell('deaf', 'trap "" TERM; echo up >&2; while :; do sleep 0.1; done')
    host = host_of(fresh)
    invocation = fresh.submit('deaf')['id']
    until(lambda: 'up' in fresh.logs(invocation), 'its trap is set')
    fresh.cancel(invocation, {'grace': '1h'})
    drain(fresh, host, {'drain_by': '0s'})
    document = fresh.wait(invocation)
    equal((document['state'], document['stop']['cause'], document['stop']['confirmed']),
          ('killed', 'cancel', True), 'end')


def test_a_drain_outlives_the_host_agent_and_its_run(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    host = host_of(fresh)
    invocation = running(fresh, 'over')
    drain(fresh, host)
    for end in (fresh.kill_9, fresh.stop):
        end()
        fresh.start()
        told = until(lambda: look(fresh, host), 'the host is known')
        equal((told['draining'], [b['invocation'] for b in told['blocking']]),
              (True, [invocation]), 'drain after a restart')
        equal(fresh.get(invocation)['state'], 'running', 'the run')
    waiting = fresh.submit('gated', b'next')['id']
    until(lambda: fresh.get(waiting)['wait_reason'] == 'no_capacity', 'it waits for a host')
    fresh.touch('go')
    document = fresh.wait(invocation)
    equal((document['state'], len(document['attempts'])), ('succeeded', 1), 'end and attempts')
    until(lambda: look(fresh, host)['drained'], 'it is drained')


def test_bad_orders_are_refused_by_name(dev):
    host = host_of(dev)
    for order, word in (({'drain_by': '8d'}, 'drain_by'), ({'drain_by': 'soon'}, 'drain_by'),
                        ({'drian': True}, 'drian'), ({'reason': 'x' * 2000}, '1024'),
                        ({'drain': False, 'drain_by': '1m'}, 'drain_by')):
        problem(dev.request('POST', f'/v1/hosts/{host}/drain', order), 400, 'invalid-argument',
                word)
    for method in ('GET', 'POST'):
        problem(dev.request(method, '/v1/hosts/nowhere/drain'), 404, 'unknown-host', 'nowhere')
    equal(look(dev, host)['draining'], False, 'draining')


def test_the_command_shows_waits_and_undoes(fresh):
    fresh.start()
    fresh.shell('gated', GATED)
    host = host_of(fresh)
    invocation = running(fresh, 'cli')
    assert 'takes work' in succeed(fresh, 'drain', host, '--show'), 'before'
    text = succeed(fresh, 'drain', host, '--by', '1h', '--reason', 'a new disk')
    for word in ('is draining', 'a new disk', invocation, 'gated', 'running'):
        assert word in text, text
    waiting = subprocess.Popen(
        [binary(), '--server', f'http://{fresh.public}', 'drain', host, '--wait', '-o', 'json'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    fresh.touch('go')
    out, err = waiting.communicate(timeout=30)
    equal((waiting.returncode, json.loads(out)['drained']), (0, True), f'drain --wait: {err}')
    assert 'is drained' in succeed(fresh, 'drain', host, '--show'), 'after'
    assert 'draining' in succeed(fresh, 'hosts'), 'hosts'
    assert 'takes work' in succeed(fresh, 'drain', host, '--undo'), 'undone'
    equal(fresh.run('gated', b'again')[1], b'result of again\n', 'work after it')
    done = cli(fresh, 'drain', 'nowhere')
    equal(done.returncode, NOT_FOUND, f'exit code: {done.stderr}')
