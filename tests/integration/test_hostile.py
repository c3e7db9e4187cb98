"""Functions that harm: each has the end that it deserves, leaves nothing, and harms nobody else.

What forks twice or hears no SIGTERM is in test_control.py, floods of the log in test_logs.py.
"""

import os

import harness
import procs
from harness import Dev, equal, limit, until

FIRST_UID = 200_000  # of instances, where the host agent is root
PIDS_MAX = 40

# Each of its processes forks for as long as it may, and tries again where it may not.
BOMB = '''
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.02)
'''
# How many sleepers one run may have, up to 100.
HOW_MANY = '''
import os, subprocess
have = []
try:
    while len(have) < 100:
        have.append(subprocess.Popen(["sleep", "600"]))
except OSError:
    pass
print(len(have), flush=True)
for process in have:
    process.kill()
    process.wait()
'''
GREEDY = '''
have = []
for _ in range(40):
    have.append(bytearray(b"x" * (10 << 20)))
print("had it")
'''
CLOSES_ALL = '''
import os, time
os.closerange(0, 256)
open(os.environ["DIR"] + "/closed", "w").close()
while not os.path.exists(os.environ["DIR"] + "/go-closed"):
    time.sleep(0.02)
os._exit(0)
'''


def python(dev, name, code, **document):
    dev.put_function(name, command=['python3', '-c', code],
                     env={'DIR': dev.shared, 'MARK': dev.mark}, **{'memory_mb': 64, **document})


def left_by(invocation):
    return procs.marked(f'LONGHAUL_INVOCATION_ID={invocation}')


def all_is_well(dev, invocation):
    """Nothing of it is left, and the next one finds everything as it was."""
    until(lambda: not left_by(invocation), f'nothing is left of {invocation}', 15)
    dev.put_function('echo', command=['cat'])
    equal(dev.run('echo', b'next')[1], b'next', 'result of the next one')


def ends_as(dev, invocation, state, reason=None, timeout=30):
    document = dev.wait(invocation, timeout)
    error = document['error'] or {}
    equal((document['state'], error.get('reason')), (state, reason), f'end of {document}')
    if state == 'failed':
        equal(error['fault'], 'function', 'fault')
    all_is_well(dev, invocation)
    return document


def needs_own_users():
    if os.geteuid() != 0:
        raise harness.Skip('needs root: only then has each instance a user of its own')


@limit(120)
def test_a_fork_bomb_is_held_by_the_limit_and_killed_whole():
    dev = Dev(['--set', f'host_agent.pids_max={PIDS_MAX}'])
    try:
        dev.start()
        python(dev, 'howmany', HOW_MANY)
        have = int(dev.run('howmany')[1])
        if have == 100:
            raise harness.Skip('no limit on processes binds here')
        assert have < PIDS_MAX, f'{have} processes beside the first, limit {PIDS_MAX}'
        python(dev, 'bomb', BOMB)
        invocation = dev.submit('bomb')['id']
        until(lambda: len(left_by(invocation)) >= have // 2, 'it has gone off', 30)
        most = max(len(left_by(invocation)) for _ in range(5))
        assert most <= PIDS_MAX, f'{most} processes, limit {PIDS_MAX}'
        dev.put_function('echo', command=['cat'])
        equal(dev.run('echo', b'beside it')[1], b'beside it', 'result of another meanwhile')
        dev.kill(invocation)
        document = ends_as(dev, invocation, 'killed')
        equal(document['stop']['confirmed'], True, 'confirmed')
    finally:
        dev.close()


@limit(90)
def test_one_that_takes_too_much_memory_ends_for_that(dev):
    python(dev, 'greedy', GREEDY)
    invocation = dev.submit('greedy')['id']
    document = dev.wait(invocation)
    if document['state'] == 'succeeded':
        raise harness.Skip('no limit on memory binds here')
    ends_as(dev, invocation, 'failed', 'oom')


def test_a_result_above_the_limit_is_no_result(dev):
    dev.put_function('huge', command=['head', '-c', '50000000', '/dev/zero'],
                     result_max='1MiB')
    invocation = dev.submit('huge')['id']
    ends_as(dev, invocation, 'failed', 'result_too_large')
    equal(dev.request('GET', f'/v1/invocations/{invocation}/result').status, 409, 'no result')


def test_an_endless_result_ends_with_its_timeout(dev):
    dev.put_function('endless', command=['yes'], result_max='1MiB', timeout='2s',
                     timeout_grace='500ms')
    ends_as(dev, dev.submit('endless')['id'], 'timed_out', 'timeout')


def test_one_that_closes_its_pipes_ends_when_it_ends(dev):
    python(dev, 'closed', CLOSES_ALL)
    invocation = dev.submit('closed')['id']
    until(lambda: dev.files('closed'), 'its pipes are closed')
    dev.wait_state(invocation, 'running')
    equal(dev.get(invocation)['state'], 'running', 'state with all pipes closed')
    dev.touch('go-closed')
    ends_as(dev, invocation, 'succeeded')
    equal(dev.result(invocation), b'', 'result')


def test_those_that_end_at_once_all_have_their_exit_code(dev):
    dev.put_function('atonce', command=['sh', '-c', 'exit 7'], max_running=4)
    made = [dev.submit('atonce')['id'] for _ in range(30)]
    for invocation in made:
        document = dev.wait(invocation)
        equal((document['state'], document['error']['reason'], document['error']['exit_code']),
              ('failed', 'exit', 7), 'end')
    all_is_well(dev, made[-1])


def test_one_that_kills_its_own_group_ends_by_that_signal(dev):
    dev.shell('suicide', 'sleep 600 & kill -KILL 0')
    ends_as(dev, dev.submit('suicide')['id'], 'failed', 'signal')


def test_one_that_kills_all_it_may_kills_itself_alone(dev):
    needs_own_users()
    dev.shell('steady', 'while [ ! -e "$DIR/go-steady" ]; do sleep 0.02; done; echo unharmed')
    other = dev.submit('steady')['id']
    dev.wait_state(other, 'running')
    dev.shell('amok', f'[ "$(id -u)" -ge {FIRST_UID} ] || exit 99; sleep 600 & kill -KILL -1; '
                      'exit 0')
    document = dev.wait(dev.submit('amok')['id'])
    assert document['state'] in ('succeeded', 'failed'), document
    exit_code = (document['error'] or {}).get('exit_code')
    assert exit_code != 99, f'it has no user of its own: {document}'
    all_is_well(dev, document['id'])
    dev.touch('go-steady')
    equal(dev.wait(other)['state'], 'succeeded', 'end of the other')
    equal(dev.result(other), b'unharmed\n', 'its result')


def test_one_that_stops_itself_ends_with_its_timeout(dev):
    dev.shell('frozen', 'kill -STOP $$; exit 0', timeout='2s', timeout_grace='500ms')
    ends_as(dev, dev.submit('frozen')['id'], 'timed_out', 'timeout')


def test_one_that_stops_itself_can_be_killed(dev):
    dev.shell('freezes', 'echo up >&2; kill -STOP $$; exit 0', kill_grace='500ms')
    invocation = dev.submit('freezes')['id']
    until(lambda: 'up' in dev.logs(invocation), 'it is up')
    dev.kill(invocation)
    equal(ends_as(dev, invocation, 'killed')['stop']['confirmed'], True, 'confirmed')


def test_nobody_can_end_the_runtime_agent(dev):
    needs_own_users()
    dev.shell('patricide', 'kill -KILL "$PPID" 2> /dev/null; echo "refused $?"')
    document, result = dev.run('patricide')
    equal(result, b'refused 1\n', 'what kill said')
    all_is_well(dev, document['id'])
