"""Disks that fail, fill up or dawdle, clocks that step, descriptors that run out, and folders that
an earlier version wrote."""

import concurrent.futures
import errno
import os
import resource
import shutil
import signal
import socket
import subprocess
import tarfile
import time

import http_client
import io_shim
from harness import ROOT, Skip, equal, limit, problem, until

FORMS = ('dev',)
STARTS = 'mktemp "$DIR/start-$(cat).XXXXXX" > /dev/null'
GATED = STARTS + '; while [ ! -e "$DIR/go" ]; do sleep 0.02; done'
SUBMITS = 3
EXIT_STORAGE_FAILED = 3


def which_calls():
    """The n of the calls that fail, one per run: all of them on demand, else some."""
    if os.environ.get('LONGHAUL_FAULTS') == 'full':
        yield from range(1, 400)
        return
    n, step = 1, 1
    while n < 400:
        yield n
        n, step = n + step, step + 1


def try_submit(dev, key):
    """The id of the 202, or nothing where there was no answer or a clear refusal."""
    try:
        answer = dev.request('POST', '/v1/functions/f/invocations', key.encode(),
                             {'Idempotency-Key': key})
    except (OSError, EOFError):
        return None
    if answer.status in (200, 202):
        return answer.json()['id']
    assert answer.status == 503, f'expected 202, 503 or no answer, got {answer}'
    return None


def wait_ended(dev, invocation):
    try:
        dev.wait(invocation)
    except (OSError, EOFError):
        pass


def is_up_or_over(dev):
    try:
        return dev._ready()
    except AssertionError:
        return True


def live_until_struck(dev):
    """{key: id} of what was acknowledged before the disk failed, or until all was done."""
    acknowledged = {}
    dev.launch()
    until(lambda: is_up_or_over(dev), 'it is ready, or has given up')
    if not dev.alive():
        return acknowledged
    try:
        dev.shell('f', STARTS)
    except (OSError, EOFError, AssertionError):
        return acknowledged
    for n in range(SUBMITS):
        invocation = try_submit(dev, f'k{n}')
        if invocation is None:
            break
        acknowledged[f'k{n}'] = invocation
        wait_ended(dev, invocation)
    return acknowledged


def judge(dev, acknowledged):
    """After a start without faults: everything acknowledged ends, and all of it ran once."""
    dev.environment = {}
    dev.start()
    dev.shell('f', STARTS)
    for n in range(SUBMITS):
        key = f'k{n}'
        invocation = dev.submit('f', key.encode(), {'Idempotency-Key': key})['id'] \
            if key not in acknowledged else acknowledged[key]
        equal(dev.wait(invocation)['state'], 'succeeded', f'end of {key}')
        equal(len(dev.files(f'start-{key}.')), 1, f'starts of {key}')
        if key in acknowledged:
            again = dev.request('POST', '/v1/functions/f/invocations', key.encode(),
                                {'Idempotency-Key': key})
            equal(again.json()['id'], invocation, f'id of {key}')


def fail_each(make, part, calls, number, must_exit):
    """Runs once per failing call, until a run had fewer calls than that."""
    struck = 0
    for n in which_calls():
        dev = make()
        try:
            dev.environment = io_shim.environment(under=os.path.join(dev.data, part), calls=calls,
                                                  nth=n, errno=number)
            acknowledged = live_until_struck(dev)
            if 'io_shim: ' not in dev.log_tail(1000):
                break
            struck += 1
            if must_exit:
                until(lambda: not dev.alive(), f'it has given up after call {n}')
                assert dev.process.returncode in (1, EXIT_STORAGE_FAILED), dev.why_ended()
                said = dev.log_tail()
                assert os.strerror(number) in said or errno.errorcode[number] in said, said
            else:
                dev.kill_9()
            judge(dev, acknowledged)
        except AssertionError as error:
            raise AssertionError(f'{calls} of {part}, call {n}: {error}\n'
                                 f'{dev.log_tail()}') from error
        finally:
            dev.close()
    assert struck >= 3, f'only {struck} calls of {calls} below {part}'


@limit(900)
def test_a_failed_sync_of_the_journal_ends_the_program_and_loses_nothing(fresh):
    fail_each(type(fresh), 'gateway/journal', 'fdatasync,fsync', errno.EIO, True)


@limit(900)
def test_a_failed_write_of_the_journal_ends_the_program_and_loses_nothing(fresh):
    fail_each(type(fresh), 'gateway/journal', 'write', errno.EIO, True)


@limit(900)
def test_a_failed_sync_of_the_host_journal_ends_the_program_and_loses_nothing(fresh):
    fail_each(type(fresh), 'host/journal', 'fdatasync,fsync,write', errno.EIO, True)


def fail_view(fresh, number, *settings):
    """A view whose disk fails while 400 invocations run; returns the file that makes it fail."""
    fault = os.path.join(fresh.base, 'fault')
    fresh.arguments += ['--set', 'gateway.view.write_buffer_bytes=64KiB', *settings]
    fresh.environment = io_shim.environment(under=os.path.join(fresh.data, 'gateway/view'),
                                            calls='write,open,fsync,fdatasync', errno=number,
                                            **{'while': fault})
    fresh.start()
    fresh.shell('f', STARTS, max_running=4)
    equal(fresh.count(), 0, 'invocations')
    with open(fault, 'w', encoding='utf-8'):
        pass
    label = 'n=' + 'x' * 200
    made = [fresh.submit('f', f'v{n}'.encode(), {'Invocation-Label': label})['id']
            for n in range(400)]
    for invocation in made:
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')
    until(lambda: 'view_failed' in fresh.log_tail(1000), 'the view has failed')
    problem(fresh.request('GET', '/v1/invocations'), 503, 'store-unavailable', 'view')
    return fault


def counts_all(dev):
    answer = dev.request('GET', '/v1/invocations:count')
    return answer.status == 200 and answer.json()['count'] == 400


@limit(120)
def test_a_view_whose_disk_was_full_heals(fresh):
    os.unlink(fail_view(fresh, errno.ENOSPC))
    until(lambda: counts_all(fresh), 'the view has everything', 60)
    fresh.kill_9()
    fresh.environment = {}
    fresh.start()
    until(lambda: counts_all(fresh), 'the view has everything after a restart')


@limit(120)
def test_a_view_that_is_beyond_repair_is_rebuilt_by_a_start(fresh):
    fail_view(fresh, errno.EIO, '--set', 'gateway.view.give_up_after=10s')
    until(lambda: not fresh.alive(), 'it has given up', 60)
    equal(fresh.process.returncode, EXIT_STORAGE_FAILED, 'exit code')
    assert 'rebuilds it from the journal' in fresh.log_tail(), fresh.log_tail()
    fresh.environment = {}
    fresh.start()
    until(lambda: counts_all(fresh), 'the view has everything after a restart')


@limit(120)
def test_a_full_disk_refuses_new_work_and_finishes_the_accepted(fresh):
    if os.geteuid() != 0:
        raise Skip('needs to mount a tmpfs')
    os.mkdir(fresh.data)
    mount = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=160m,mode=0711', 'longhaul-test',
                            fresh.data], capture_output=True, check=False)
    if mount.returncode != 0:
        raise Skip('no tmpfs can be mounted here')
    try:
        fresh.arguments += ['--set', 'gateway.journal.segment_bytes=1MiB',
                            '--set', 'gateway.storage.reserve_bytes=64MiB']
        fresh.start()
        fresh.shell('f', GATED, max_running=2)
        accepted = [fresh.submit('f', f'd{n}'.encode())['id'] for n in range(20)]
        filler = os.path.join(fresh.data, 'filler')
        free = shutil.disk_usage(fresh.data).free
        with open(filler, 'wb') as file:
            file.write(bytes(free - (40 << 20)))

        def is_refused():
            answer = fresh.request('POST', '/v1/functions/f/invocations', b'late')
            if answer.status == 202:
                accepted.append(answer.json()['id'])
                return False
            problem(answer, 429, 'disk-full', 'reserve')
            assert answer.header('retry-after'), 'no Retry-After'
            return True
        until(is_refused, 'new work is refused')
        fresh.touch('go')
        for invocation in accepted:
            equal(fresh.wait(invocation)['state'], 'succeeded', 'end of what was accepted')
        os.unlink(filler)
        until(lambda: fresh.request('POST', '/v1/functions/f/invocations', b'new').status == 202,
              'new work is taken again')
    finally:
        fresh.close()
        subprocess.run(['umount', '-l', fresh.data], check=False)


@limit(120)
def test_a_slow_disk_is_shared_by_all_who_wait_for_it(fresh):
    fresh.environment = io_shim.environment(under=os.path.join(fresh.data, 'gateway/journal'),
                                            calls='fdatasync', errno=0, delay=100_000)
    fresh.start()
    fresh.shell('f', STARTS, max_running=1)
    fresh.request('POST', '/v1/functions/f/queue/pause')
    before = commits(fresh)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda n: fresh.submit('f', f's{n}'.encode()), range(640)))
    equal(len({answer['id'] for answer in answers}), 640, 'ids')
    took = commits(fresh) - before
    assert took < 160, f'{took} commits for 640 submits from 64 clients'


def commits(dev):
    page = http_client.request(dev.admin, 'GET', '/metrics').body.decode()
    for line in page.splitlines():
        if line.startswith('longhaul_journal_batches_total'):
            return float(line.split()[-1])
    raise AssertionError('no longhaul_journal_batches_total')


@limit(120)
def test_when_descriptors_run_out_nothing_breaks(fresh):
    fresh.start()
    fresh.shell('f', STARTS)
    fresh.run('f', b'warm')
    pid = fresh.process.pid
    used = len(os.listdir(f'/proc/{pid}/fd'))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 24, used + 24))
    host, port = fresh.public.rsplit(':', 1)
    idle = []
    try:
        for _ in range(100):
            idle.append(socket.create_connection((host, int(port)), 5))
        until(lambda: len(os.listdir(f'/proc/{pid}/fd')) >= used + 24, 'all are used', 10)
        until(lambda: 'accept_failed' in fresh.log_tail(), 'and it noticed')
    finally:
        for connection in idle:
            connection.close()
    equal(fresh.run('f', b'after')[0]['state'], 'succeeded', 'a run afterwards')
    tail = fresh.log_tail(10_000)
    assert tail.count('accept_failed') < 300, 'it spun'
    equal(fresh.stop(signal.SIGTERM), 0, 'exit code')


@limit(120)
def test_a_clock_that_steps_ends_no_run_and_wakes_nothing_early(fresh):
    clock = os.path.join(fresh.base, 'clock')

    def step(seconds):
        with open(clock + '.new', 'w', encoding='utf-8') as file:
            file.write(str(seconds))
        os.replace(clock + '.new', clock)

    step(0)
    fresh.environment = io_shim.environment(clock=clock)
    fresh.start()
    fresh.shell('f', GATED, timeout='60s', queue_ttl='60s', max_running=1)
    running = fresh.submit('f', b'running')['id']
    waiting = fresh.submit('f', b'waiting')['id']
    fresh.wait_state(running, 'running')
    for seconds in (86_400, -86_400, 7_200):
        step(seconds)
        fresh.shell('quick', STARTS)
        fresh.run('quick', f'at{seconds}'.encode())
        equal(fresh.get(running)['state'], 'running', f'state at {seconds} s')
        equal(fresh.get(waiting)['state'], 'queued', f'state at {seconds} s')
    # A start reads the clock anew: a run goes on whatever it says then.
    step(-3_600)
    fresh.kill_9()
    fresh.start()
    equal(fresh.get(running)['state'], 'running', 'state after a start an hour earlier')
    fresh.touch('go')
    for invocation in (running, waiting):
        equal(fresh.wait(invocation)['state'], 'succeeded', 'end')


def test_the_folder_of_version_2_is_read(fresh):
    """What `longhaul dev` left when records were of version 2: 5 that succeeded, one that failed,
    one that was cancelled, and two that wait in a paused queue. It is read at the time of then."""
    with tarfile.open(os.path.join(ROOT, 'tests', 'integration', 'data',
                                   'gateway-v2.tar.gz')) as tar:
        written_at = max(member.mtime for member in tar.getmembers())
        tar.extractall(fresh.data)
    clock = os.path.join(fresh.base, 'clock')
    with open(clock, 'w', encoding='utf-8') as file:
        file.write(str(int(written_at - time.time()) + 1))
    fresh.environment = io_shim.environment(clock=clock)
    fresh.start()
    counts = {}
    for document in fresh.request('GET', '/v1/invocations?limit=100').json()['invocations']:
        counts[document['state']] = counts.get(document['state'], 0) + 1
        if document['state'] == 'succeeded':
            equal(fresh.result(document['id']), b'done\n', 'result')
    equal(counts, {'succeeded': 5, 'failed': 1, 'cancelled': 1, 'queued': 2}, 'states')
    query = '/v1/invocations?function=later&state=queued'
    waiting = fresh.request('GET', query).json()['invocations']
    equal(len(waiting), 2, 'what waited')
    for document in waiting:
        equal(document['labels'], {'kept': 'yes'}, 'labels')
    equal(fresh.request('POST', '/v1/functions/later/queue/resume').status, 200, 'resume')
    for document in waiting:
        equal(fresh.wait(document['id'])['state'], 'succeeded', 'end of what waited')
