"""The main job of longhaul, shown to a person and checked at each step; `./dev demo` runs it.

Starts `longhaul dev` in a folder of its own, and needs nothing else. Exits 0 only if everything was
as it should be, in under two minutes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))

import procs  # noqa: E402

LONGHAUL = os.environ.get('LONGHAUL_BIN') or os.path.join(ROOT, 'build', 'bin', 'longhaul')
EXAMPLE = os.path.join('examples', 'functions', 'report-python')
LIVE = ('scheduled', 'queued', 'dispatching', 'running', 'retrying', 'stopping')
LIMIT = 3          # max_running in the example's function.toml
MANY = 20
LONG_SECONDS = 20
WHOLE_SECONDS = 118

COLOUR = sys.stdout.isatty() and 'NO_COLOR' not in os.environ


class Difference(Exception):
    """Something is not as it should be."""


# ------------------------------------------------------------------------------------ narration

def paint(code, text):
    return f'\x1b[{code}m{text}\x1b[0m' if COLOUR else text


def chapter(number, title):
    print('\n' + paint('1;36', f'{number}. {title}'), flush=True)


def say(text):
    print('   ' + text, flush=True)


def show(text):
    for line in text.rstrip('\n').split('\n'):
        print(paint('2', '   | ') + line, flush=True)


def good(text):
    print(paint('32', '   ok ') + text, flush=True)


def check(condition, text):
    if not condition:
        raise Difference(text)
    good(text)


# --------------------------------------------------------------------------------- longhaul dev

class Dev:
    def __init__(self):
        self.base = tempfile.mkdtemp(prefix='longhaul-demo-')
        os.chmod(self.base, 0o711)  # as root, functions run as users of their own
        self.data = os.path.join(self.base, 'data')
        self.log = os.path.join(self.base, 'dev.log')
        self.process = None
        self.server = ''

    def start(self):
        ready = os.path.join(self.data, 'dev.json')
        if os.path.exists(ready):
            os.unlink(ready)
        begin = time.monotonic()
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                [LONGHAUL, 'dev', '--data-dir', self.data, '--port', '0', '--internal-port', '0',
                 '--admin-port', '0'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.base)
        while True:
            try:
                with open(ready, encoding='utf-8') as file:
                    found = json.load(file)
                if found['pid'] == self.process.pid:
                    break
            except (OSError, ValueError):
                pass
            if self.process.poll() is not None or time.monotonic() - begin > 20:
                raise Difference(f'`longhaul dev` did not become ready:\n{self.log_tail()}')
            time.sleep(0.005)
        self.server = 'http://' + found['public'].removeprefix('http://')
        return time.monotonic() - begin

    def kill_9(self):
        self.process.kill()
        self.process.wait()

    def log_tail(self):
        try:
            with open(self.log, encoding='utf-8', errors='replace') as file:
                return ''.join(file.readlines()[-15:])
        except OSError:
            return ''

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(12)
            except subprocess.TimeoutExpired:
                self.kill_9()
        for _ in range(100):  # runtime agents outlive their host by design
            left = procs.marked(self.base)
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                break
            time.sleep(0.02)
        shutil.rmtree(self.base, ignore_errors=True)

    # -- the command line

    def command(self, *arguments):
        return [LONGHAUL, *arguments, '--server', self.server]

    def run(self, *arguments, expect=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, cwd=ROOT,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        if done.returncode != expect:
            raise Difference(f'`longhaul {" ".join(arguments)}` ended with {done.returncode}, not '
                             f'{expect}: {done.stdout}{done.stderr}')
        return done.stdout

    def shown(self, *arguments, expect=0):
        say(paint('1', '$ longhaul ' + ' '.join(a if ' ' not in a else f"'{a}'"
                                                for a in arguments)))
        text = self.run(*arguments, expect=expect)
        show(text)
        return text

    def json(self, *arguments, expect=0):
        return json.loads(self.run(*arguments, '-o', 'json', expect=expect))

    def submit(self, seconds, label):
        return self.json('submit', 'report', '--data', json.dumps({'seconds': seconds}),
                         '--label', f'part={label}')['id']

    def listed(self, label):
        return self.json('list', '--label', f'part={label}', '--limit', '100')


class Follower:
    """`longhaul logs -f`: its lines, each with the moment at which it came."""

    def __init__(self, dev, invocation, loud=True):
        self.lines = []
        self.process = subprocess.Popen(dev.command('logs', '-f', invocation), text=True, cwd=ROOT,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self._read, args=(loud,), daemon=True)
        self.thread.start()

    def _read(self, loud):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip('\n')))
            if loud:
                show(line)

    def wait_lines(self, count, timeout=20):
        deadline = time.monotonic() + timeout
        while len(self.lines) < count:
            if time.monotonic() > deadline:
                raise Difference(f'only {len(self.lines)} log lines after {timeout} s, not {count}')
            time.sleep(0.01)

    def wait_end(self, timeout=40):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Difference(f'`logs -f` did not end within {timeout} s') from None
        self.thread.join(5)
        if code != 0:
            raise Difference(f'`logs -f` ended with {code}')
        return [line for _, line in self.lines]

    def function_process(self):
        self.wait_lines(1)
        return int(re.search(r'by process (\d+)', self.lines[0][1]).group(1))


def runs(pid):
    return procs.state(pid) not in (None, 'Z', 'X')


def log_bytes(folder):
    return sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder)
               for name in names if name.endswith('.log'))


def wait_for_more_log(folder, timeout=10.0):
    deadline = time.monotonic() + timeout
    before = log_bytes(folder)
    while log_bytes(folder) == before:
        if time.monotonic() > deadline:
            raise Difference(f'the function wrote nothing for {timeout} s')
        time.sleep(0.01)


def until_gone(pid, timeout=3.0):
    deadline = time.monotonic() + timeout
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(pid)


# ------------------------------------------------------------------------------------- chapters

def start_and_deploy(dev):
    chapter(1, 'Start `longhaul dev` and deploy the Python example')
    ready = dev.start()
    good(f'ready after {ready * 1000:.0f} ms at {dev.server}')
    say(f'its folder has a function.toml, the code and a data file: {EXAMPLE}')
    text = dev.shown('deploy', EXAMPLE)
    check('sha256:' in text, 'the package is stored under its digest')


def follow_a_long_run(dev):
    chapter(2, f'Submit a run of about {LONG_SECONDS} s and follow its logs live')
    begin = time.monotonic()
    invocation = dev.submit(LONG_SECONDS, 'long')
    spent = (time.monotonic() - begin) * 1000
    good(f'202, durable, {spent:.0f} ms after the command: {invocation}')
    say(paint('1', f'$ longhaul logs -f {invocation}'))
    follower = Follower(dev, invocation)
    follower.wait_lines(4)
    check(dev.json('get', invocation)['state'] == 'running', 'lines come while it is running')
    say('where it stands meanwhile, with the stages of its way to the instance:')
    dev.shown('get', invocation)
    lines = follower.wait_end()
    first, last = follower.lines[0][0], follower.lines[-1][0]
    check(len(lines) == 14 and lines[-1] == 'done', 'all 14 lines came, and then `logs -f` ended')
    check(last - first > LONG_SECONDS * 0.8,
          f'they came over {last - first:.1f} s, not at the end')
    document = dev.json('wait', invocation)
    check(document['state'] == 'succeeded', 'it succeeded')
    trace = document['attempts'][0].get('trace') or {}
    check(trace, 'stages: ' + ', '.join(f'{name} {value:.1f}' for name, value in trace.items()))
    result = json.loads(dev.run('result', invocation))
    show(json.dumps({key: result[key] for key in ('orders', 'revenue', 'by_region', 'best_day')}))
    check(result['orders'] == 488 and abs(sum(result['by_region'].values())
                                          - result['revenue']) < 0.1,
          'the result is the report, and its sums agree')


def kill_in_the_middle(dev):
    chapter(3, 'Submit another and kill it in the middle')
    invocation = dev.submit(LONG_SECONDS, 'killed')
    follower = Follower(dev, invocation)
    follower.wait_lines(3)
    pid = follower.function_process()
    check(runs(pid), f'the function runs as process {pid}')
    begin = time.monotonic()
    dev.shown('kill', invocation, '--wait', '--reason', 'seen enough')
    document = dev.json('get', invocation)
    check(document['state'] == 'killed', f'killed, after {time.monotonic() - begin:.2f} s')
    check(document['stop']['confirmed'] is True, 'the stop is confirmed: its process tree is gone')
    check(until_gone(pid), f'and indeed: there is no process {pid} any more')
    lines = follower.wait_end(10)
    check(0 < len(lines) < 14, f'its logs end where it was killed, after {len(lines)} lines')
    dev.run('wait', invocation, expect=6)
    good('`longhaul wait` says so with exit code 6')


def overlap(documents):
    """How many ran at the same time, by their own start and end."""
    def moment(text):
        return datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
    steps = [(moment(d['started_at']), 1) for d in documents]
    steps += [(moment(d['ended_at']), -1) for d in documents]
    now = most = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def many_against_a_limit(dev):
    chapter(4, f'Submit {MANY} to a limit of {LIMIT}')
    made = [dev.submit(1.2, 'many') for _ in range(MANY)]
    reasons, most, shown = set(), 0, False
    deadline = time.monotonic() + 45
    while True:
        documents = dev.listed('many')
        live = [d for d in documents if d['state'] in LIVE]
        active = [d for d in live if d['state'] in ('dispatching', 'running', 'stopping')]
        waiting = [d for d in live if d['state'] == 'queued']
        most = max(most, len(active))
        reasons |= {d['wait_reason'] for d in waiting if len(active) == LIMIT}
        if len(active) > LIMIT:
            raise Difference(f'{len(active)} run at once')
        if not shown and len(active) == LIMIT and len(waiting) > 5:
            shown = True
            dev.shown('list', '--label', 'part=many', '--state', 'live', '--limit', '8',
                      '--oldest-first')
        if not live:
            break
        if time.monotonic() > deadline:
            raise Difference(f'{len(live)} of {MANY} have not ended')
        time.sleep(0.05)
    check(len(documents) == MANY and {d['id'] for d in documents} == set(made),
          f'all {MANY} are listed, each once')
    check(all(d['state'] == 'succeeded' for d in documents), 'all have succeeded')
    check(most == LIMIT and overlap(documents) <= LIMIT,
          f'never more than {LIMIT} ran at once, as seen from outside and by their own times')
    check(shown and 'function_limit' in reasons, f'the others waited, and said why: {reasons}')


def outlive_the_gateway(dev):
    chapter(5, 'Kill the gateway with -9 during a run, and start it again')
    invocation = dev.submit(12, 'outlives')
    follower = Follower(dev, invocation)
    follower.wait_lines(4)
    pid = follower.function_process()
    dev.kill_9()
    follower.process.kill()
    good(f'`longhaul dev` (process {dev.process.pid}) is gone')
    check(runs(pid), f'the function, process {pid}, goes on')
    wait_for_more_log(dev.base)
    good('it goes on writing its log while nobody is there to serve it')
    ready = dev.start()
    good(f'started again, ready after {ready * 1000:.0f} ms at {dev.server}')
    document = dev.json('get', invocation)
    check(document['state'] == 'running', 'the run is known, and running')
    check(runs(pid), 'it is the same process')
    document = dev.json('wait', invocation)
    check(document['state'] == 'succeeded', 'it ended: succeeded')
    check(len(document['attempts']) == 1, 'in one attempt')
    check(len(dev.listed('outlives')) == 1, 'and there is one invocation')
    lines = dev.run('logs', invocation).splitlines()
    months = [line.split(']')[0] for line in lines if line.startswith('[')]
    check(months == [f'[{n}/12' for n in range(1, 13)] and lines[-1] == 'done',
          'each line of its logs is there once, from before and after')
    check(json.loads(dev.run('result', invocation))['orders'] == 488, 'and its result')


def too_late(_number, _frame):
    raise Difference(f'the demo took longer than {WHOLE_SECONDS} s')


def main():
    if not os.path.exists(LONGHAUL):
        sys.exit(f'demo: there is no {LONGHAUL}; `./dev demo` builds it first')
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(WHOLE_SECONDS)
    begin = time.monotonic()
    dev = Dev()
    try:
        for part in (start_and_deploy, follow_a_long_run, kill_in_the_middle,
                     many_against_a_limit, outlive_the_gateway):
            part(dev)
    except Difference as difference:
        print(paint('1;31', f'\nNOT AS IT SHOULD BE: {difference}'), flush=True)
        print('the last lines of `longhaul dev`:\n' + dev.log_tail(), flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.alarm(0)
        dev.close()
    print(paint('1;32', f'\nEverything was as it should be, in {time.monotonic() - begin:.0f} s.'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
