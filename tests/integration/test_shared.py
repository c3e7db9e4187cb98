"""Functions with `concurrency`: several runs at once in one instance.

A handler leaves `begun-<id>` in the shared folder, prints, and waits for `go-<id>`.
"""

import itertools
import os
import shutil
import signal

import procs
from harness import Skip, equal, problem, until

FORMS = ('dev', 'cluster')

PYTHON = b'''
import fcntl, os, threading, time

DIR = os.environ['DIR']

def begin(context):
    print('hello from', context.invocation_id)
    with open(os.path.join(DIR, 'begun-' + context.invocation_id), 'w') as file:
        file.write(str(os.getpid()))

def main(event, context):
    begin(context)
    helper = threading.Thread(target=lambda: print('helper of', context.invocation_id))
    helper.start()
    helper.join()
    while not os.path.exists(os.path.join(DIR, 'go-' + context.invocation_id)):
        if event == 'die':
            os._exit(9)
        if event == 'deaf':
            time.sleep(0.01)
        elif context.cancelled.wait(0.01):
            print('told to return')
            return None
    return context.invocation_id + ' ' + str(os.getpid())

def count(by):
    with open(os.path.join(DIR, 'count'), 'r+') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        number = int(file.read() or '0') + by
        file.seek(0)
        file.truncate()
        file.write(str(number))
    return number

def counted(event, context):
    number = count(1)
    time.sleep(0.01)
    count(-1)
    return number

async def coroutine(event, context):
    import asyncio
    begin(context)
    try:
        while not os.path.exists(os.path.join(DIR, 'go-' + context.invocation_id)):
            await asyncio.sleep(0.01)
    finally:
        await asyncio.sleep(0.05)
        print('cleaned up')
    return context.invocation_id + ' ' + str(os.getpid())
'''

BROKEN = b'''
import os, time

with open(os.path.join(os.environ['DIR'], 'loads'), 'a') as file:
    print('loads', file=file)
while not os.path.exists(os.path.join(os.environ['DIR'], 'break')):
    time.sleep(0.01)
raise RuntimeError('as it was told')
'''

NODE = b'''
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const file = (kind, context) => process.env.DIR + '/' + kind + '-' + context.invocationId;
exports.main = async (event, context) => {
  console.log('hello from', context.invocationId);
  fs.writeFileSync(file('begun', context), '');
  while (!fs.existsSync(file('go', context))) await sleep(10, null, { signal: context.signal });
  return `${context.invocationId} ${process.pid}`;
};
'''

SERVER = b'''
import http.server, os, time

DIR = os.environ['DIR']

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        me = self.headers['Longhaul-Invocation-Id']
        self.rfile.read(int(self.headers['Content-Length']))
        print(self.headers['Longhaul-Log-Tag'], 'hello from', me, flush=True)
        open(os.path.join(DIR, 'begun-' + me), 'w').close()
        while not os.path.exists(os.path.join(DIR, 'go-' + me)):
            time.sleep(0.01)
        said = (me + ' ' + str(os.getpid())).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
'''

KINDS = {
    'threads': {'runtime': 'python', 'handler': 'app.main', 'mode': 'handler'},
    'counted': {'runtime': 'python', 'handler': 'app.counted', 'mode': 'handler'},
    'broken': {'runtime': 'python', 'handler': 'broken.main', 'mode': 'handler'},
    'coroutines': {'runtime': 'python', 'handler': 'app.coroutine', 'mode': 'handler'},
    'node': {'runtime': 'node', 'handler': 'app.main', 'mode': 'handler'},
    'server': {'mode': 'http', 'command': ['python3', 'server.py']},
}

_names = itertools.count(1)


def one_host(test):
    """Marks a test that counts instances: of several hosts each has its own."""
    test.forms = ('dev',)
    return test


def deploy(dev, kind, **document):
    """A function of its own, so that no instance of another test is used."""
    if kind == 'node' and shutil.which('node') is None:
        raise Skip('node is not installed')
    name = f'{kind}-{next(_names)}'
    files = {'app.py': PYTHON, 'app.js': NODE, 'broken.py': BROKEN, 'server.py': SERVER}
    dev.deploy(name, files, **{'concurrency': 3, 'env': {'DIR': dev.shared, 'MARK': dev.mark},
                               **KINDS[kind], **document})
    return name


def submit(dev, name, event=b'"wait"'):
    return dev.submit(name, event, {'Content-Type': 'application/json'})['id']


def begin(dev, name, event=b'"wait"'):
    """Submits, and returns the id once the function has it."""
    invocation = submit(dev, name, event)
    until(lambda: dev.files(f'begun-{invocation}'), f'{invocation} has begun')
    dev.wait_state(invocation, 'running')
    return invocation


def begin_beside(dev, name, event=b'"wait"'):
    """The same where an instance has a free place: of several hosts the one is chosen whose free
    place is known."""
    wait_place(dev, name)
    return begin(dev, name, event)


def wait_place(dev, name):
    until(lambda: any(entry['function'] == name and entry['idle'] > 0
                      for host in dev.request('GET', '/v1/hosts').json()['hosts']
                      for entry in host['loaded']), f'a free place of {name} is known')


def finish(dev, invocation):
    """Lets it return; the process that it ran in."""
    dev.touch(f'go-{invocation}')
    document = dev.wait(invocation)
    equal(document['state'], 'succeeded', f'end of {document}')
    said, process = dev.result(invocation).decode().split()
    equal(said, invocation, 'result')
    return process


def process_of(dev, invocation):
    return int(until(lambda: dev.read(f'begun-{invocation}'), 'its process is known'))


def instance(dev, invocation):
    return dev.get(invocation)['attempts'][0]['instance']


def instances_of(dev, name):
    shown = dev.request('GET', '/v1/instances').json()['instances']
    return [one for one in shown if one['function'] == name]


def check_side_by_side(dev, kind):
    name = deploy(dev, kind)
    runs = [begin(dev, name), begin_beside(dev, name), begin_beside(dev, name)]
    equal(len({instance(dev, run) for run in runs}), 1, 'instances')
    equal([(one['concurrency'], one['running']) for one in instances_of(dev, name)], [(3, 3)],
          'instances as they are shown')
    equal(len({finish(dev, run) for run in reversed(runs)}), 1, 'processes')
    for run in runs:
        others = [other for other in runs if other != run]
        log = dev.logs(run)
        assert f'hello from {run}' in log, log
        assert not any(other in log for other in others), log
    again = begin_beside(dev, name)
    finish(dev, again)
    equal(instance(dev, again), instance(dev, runs[0]), 'the instance is used again')


def test_threads_run_side_by_side(dev):
    check_side_by_side(dev, 'threads')


def test_coroutines_run_side_by_side(dev):
    check_side_by_side(dev, 'coroutines')


def test_node_handlers_run_side_by_side(dev):
    check_side_by_side(dev, 'node')


def test_a_server_answers_side_by_side(dev):
    check_side_by_side(dev, 'server')


@one_host
def test_runs_that_come_at_once_wait_for_one_load(dev):
    name = deploy(dev, 'threads', concurrency=8)
    runs = [submit(dev, name) for _ in range(8)]
    for run in runs:
        dev.wait_state(run, 'running')
    equal(len({instance(dev, run) for run in runs}), 1, 'instances')
    for run in runs:
        finish(dev, run)


@one_host
def test_a_load_that_fails_is_the_answer_to_all_who_wait_for_it(dev):
    name = deploy(dev, 'broken', concurrency=4)
    runs = [submit(dev, name) for _ in range(4)]
    until(lambda: any((one['state'], one['running']) == ('starting', 4)
                      for one in dev.request('GET', '/v1/instances').json()['instances']),
          'all wait for the load')
    dev.touch('break')
    for run in runs:
        document = dev.wait(run)
        equal((document['state'], document['error']['reason']), ('failed', 'load'), 'end')
        assert 'as it was told' in document['error']['message'], document
    equal(dev.read('loads').split(), ['loads'], 'loads')


@one_host
def test_more_runs_than_places_start_another_instance(dev):
    name = deploy(dev, 'threads', concurrency=2)
    runs = [begin(dev, name) for _ in range(5)]
    equal(len({instance(dev, run) for run in runs}), 3, 'instances')
    for run in runs:
        finish(dev, run)


def test_slots_count_invocations(dev):
    name = deploy(dev, 'threads', max_running=2)
    runs = [begin(dev, name) for _ in range(2)]
    waiting = submit(dev, name)
    equal(dev.get(waiting)['wait_reason'], 'function_limit', 'wait_reason')
    for run in runs:
        finish(dev, run)
    finish(dev, waiting)


def test_there_are_never_more_runs_than_slots(fresh):
    fresh.start()
    fresh.touch('count')
    os.chmod(os.path.join(fresh.shared, 'count'), 0o666)  # instances may have users of their own
    name = deploy(fresh, 'counted', concurrency=2, max_running=5)
    runs = [submit(fresh, name) for _ in range(60)]
    counts = set()
    for run in runs:
        document = fresh.wait(run)
        equal(document['state'], 'succeeded', f'end of {document}')
        counts.add(int(fresh.result(run)))
    assert max(counts) <= 5, counts
    assert max(counts) > 1, 'they ran one by one'


def check_cancel(dev, kind):
    name = deploy(dev, kind)
    cancelled, other = begin(dev, name), begin_beside(dev, name)
    equal(dev.cancel(cancelled).status, 202, 'cancel')
    document = dev.wait(cancelled)
    equal((document['state'], document['stop']['confirmed']), ('cancelled', True), 'end')
    equal(dev.get(other)['state'], 'running', 'the other')
    third = begin_beside(dev, name)
    equal(instance(dev, third), instance(dev, other), 'the instance goes on')
    finish(dev, other)
    finish(dev, third)
    return dev.logs(cancelled)


def test_a_cancelled_thread_returns_and_leaves_the_others_alone(dev):
    assert 'told to return' in check_cancel(dev, 'threads')


def test_a_cancelled_coroutine_cleans_up_and_leaves_the_others_alone(dev):
    assert 'cleaned up' in check_cancel(dev, 'coroutines')


def test_a_cancelled_node_handler_leaves_the_others_alone(dev):
    check_cancel(dev, 'node')


def check_given_up(dev, kind, event):
    name = deploy(dev, kind)
    killed, other = begin(dev, name, event), begin_beside(dev, name)
    equal(dev.kill(killed).status, 202, 'kill')
    document = dev.wait(killed)
    equal((document['state'], document['stop']['confirmed']), ('killed', False), 'end')
    equal(dev.get(other)['state'], 'running', 'the other')
    third = begin(dev, name)
    assert instance(dev, third) != instance(dev, other), 'a worn instance took a run'
    finish(dev, other)
    finish(dev, third)
    worn = instance(dev, other)
    until(lambda: worn not in {one['instance'] for one in instances_of(dev, name)},
          'the worn instance ends after its runs')


def test_a_thread_that_does_not_return_is_given_up(dev):
    check_given_up(dev, 'threads', b'"deaf"')


def test_a_killed_request_of_a_server_is_given_up(dev):
    check_given_up(dev, 'server', b'""')


def test_a_killed_run_that_is_alone_takes_its_process_with_it(fresh):
    fresh.start()
    killed = begin(fresh, deploy(fresh, 'threads'), b'"deaf"')
    process = process_of(fresh, killed)
    fresh.kill(killed)
    document = fresh.wait(killed)
    equal((document['state'], document['stop']['signal'], document['stop']['confirmed']),
          ('killed', 'SIGKILL', True), 'end')
    until(lambda: procs.state(process) in (None, 'Z'), 'the process is gone')


def test_a_process_that_dies_fails_all_its_runs_with_the_reason(dev):
    name = deploy(dev, 'threads')
    runs = [begin(dev, name), begin_beside(dev, name)]
    wait_place(dev, name)
    runs.append(submit(dev, name, b'"die"'))
    for run in runs:
        document = dev.wait(run)
        error = document['error']
        equal((document['state'], error['reason'], error['exit_code']), ('failed', 'exit', 9), run)
    finish(dev, begin(dev, name))


def test_shared_runs_outlive_a_killed_gateway_and_host_agent(fresh):
    fresh.start()
    name = deploy(fresh, 'threads')
    runs = [begin(fresh, name), begin_beside(fresh, name)]
    fresh.kill_9()
    fresh.start()
    third = begin_beside(fresh, name)
    equal(instance(fresh, third), instance(fresh, runs[0]), 'the instance is found again')
    equal(len({finish(fresh, run) for run in [*runs, third]}), 1, 'processes')
    for run in runs:
        equal(len(fresh.get(run)['attempts']), 1, 'attempts')


def test_a_lost_instance_loses_all_its_runs(fresh):
    fresh.start()
    name = deploy(fresh, 'threads')
    runs = [begin(fresh, name), begin_beside(fresh, name)]
    process = process_of(fresh, runs[0])
    os.kill(procs.parent(process), signal.SIGKILL)
    for run in runs:
        equal(fresh.wait(run)['error']['reason'], 'lost', run)
    until(lambda: procs.state(process) in (None, 'Z'), 'the function went with its runtime agent')


def test_where_it_has_no_meaning_it_is_refused(dev):
    for document, status, kind, word in (
            ({'mode': 'exec', 'command': ['true'], 'concurrency': 2}, 400, 'invalid-argument',
             'mode exec'),
            ({'mode': 'handler', 'runtime': 'custom', 'command': ['true'], 'concurrency': 2}, 501,
             'not-available', 'runtime custom'),
            ({'mode': 'handler', 'handler': 'app.main', 'concurrency': 101}, 400,
             'invalid-argument', 'between 1 and 100')):
        answer = dev.request('PUT', '/v1/functions/refused', document)
        problem(answer, status, kind, 'concurrency', word)
