"""Starts `longhaul dev` in a folder of its own and speaks to it as a caller would.

Nothing here sleeps for a fixed time in the hope that something has happened by then: until() asks
until it has, or until a deadline has passed.
"""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import uuid

import http_client
import procs

ENDED = ('succeeded', 'failed', 'timed_out', 'cancelled', 'killed', 'expired')
PROBLEMS = 'https://longhaul.dev/problems/'
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skip(Exception):
    """Raised by a test that cannot run here; its text is the reason."""


def binary():
    return os.environ.get('LONGHAUL_BIN') or os.path.join(ROOT, 'build', 'bin', 'longhaul')


def limit(seconds):
    """Marks a test with its own time limit."""
    def mark(test):
        test.limit_seconds = seconds
        return test
    return mark


def only_dev(test):
    """Marks a test that is about `longhaul dev` itself: its files, flags, its one process."""
    test.forms = ('dev',)
    return test


def until(question, what, timeout=20.0):
    """Asks until the answer is true, and returns it. It is asked every few milliseconds."""
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f'after {timeout} s still not: {what}')
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def equal(actual, expected, what):
    assert actual == expected, f'{what}: expected {expected!r}, got {actual!r}'


def problem(answer, status, kind, *words):
    """Checks that an answer is that problem document and that its detail has the words."""
    assert answer.status == status, f'expected {status} {kind}, got {answer}'
    equal(answer.header('content-type'), 'application/problem+json', 'content type of a problem')
    document = answer.json()
    equal(document.get('type'), PROBLEMS + kind, 'problem type')
    equal(document.get('status'), status, 'status within the problem')
    assert document.get('title') and document.get('detail'), f'no title or detail: {document}'
    for word in words:
        assert word.lower() in document['detail'].lower(), f'"{word}" is not in {document}'
    return document


def tar_of(files):
    """A tar of {path: bytes or (bytes, mode)}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as tar:
        for path, content in files.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            entry.mode = mode
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class Dev:
    """One `longhaul dev` and its folder; it may be ended and started again.

    cluster_form.ClusterForm is the same for programs of their own.
    """

    form = 'dev'
    host_count = 1

    def __init__(self, arguments=()):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < min(hard, 16384):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
        self.base = tempfile.mkdtemp(prefix='longhaul-test-')
        os.chmod(self.base, 0o711)  # functions run as users of their own
        self.shared = os.path.join(self.base, 'shared')
        os.mkdir(self.shared)
        os.chmod(self.shared, 0o1777)
        self.data = os.path.join(self.base, 'data')
        self.log = os.path.join(self.base, 'dev.log')
        self.mark = 'mark-' + uuid.uuid4().hex
        self.arguments = list(arguments)
        self.environment = {}  # beside that of the tests
        self.port = 0  # the next start picks free ones
        self.process = None
        self.public = self.internal = self.admin = None

    def set(self, setting):
        """A setting for the next start: `gateway.limits.global_max=2`."""
        self.arguments += ['--set', setting]

    # -- life

    def launch(self):
        """Starts the process and does not wait."""
        ready = os.path.join(self.data, 'dev.json')
        if os.path.exists(ready):
            os.unlink(ready)
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                [binary(), 'dev', '--data-dir', self.data, '--port', str(self.port),
                 *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.base,
                env={**os.environ, **self.environment})

    def start(self, timeout=30.0):
        self.launch()
        until(self._ready, '`longhaul dev` is ready', timeout)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f'`longhaul dev` ended with {self.process.returncode}:\n'
                                 f'{self.log_tail()}')
        try:
            with open(os.path.join(self.data, 'dev.json'), encoding='utf-8') as file:
                ready = json.load(file)
        except (OSError, ValueError):
            return False
        self.public, self.internal, self.admin = (
            ready['public'], ready['internal'], ready['admin'])
        return ready['pid'] == self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def why_ended(self):
        return f'`longhaul dev` ended with {self.process.returncode}'

    def send(self, number):
        self.process.send_signal(number)

    def kill_9(self):
        self.process.kill()
        self.process.wait()

    def stop(self, number=signal.SIGTERM, timeout=15.0):
        """Sends the signal, waits for the end and returns the exit code."""
        self.send(number)
        return self.process.wait(timeout)

    def close(self):
        """Ends everything that was started here, and removes the folder."""
        if self.alive():
            self.send(signal.SIGTERM)
            try:
                self.process.wait(12)
            except subprocess.TimeoutExpired:
                self.kill_9()
        for _ in range(200):
            left = {**procs.marked(self.base), **procs.marked(self.mark)}
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        shutil.rmtree(self.base, ignore_errors=True)

    def log_tail(self, lines=40):
        try:
            with open(self.log, encoding='utf-8', errors='replace') as file:
                return ''.join(file.readlines()[-lines:])
        except OSError:
            return ''

    # -- speaking to it

    def request(self, method, path, body=None, headers=(), timeout=75.0):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = {'Content-Type': 'application/json', **dict(headers)}
        return http_client.request(self.public, method, path, body, headers, timeout)

    def stream(self, method, path, headers=(), timeout=75.0):
        return http_client.stream(self.public, method, path, None, headers, timeout)

    def raw(self, data, **options):
        return http_client.raw(self.public, data, **options)

    def put_function(self, name, **document):
        """Registers an exec function that asks little of its host."""
        document = {'mode': 'exec', 'memory_mb': 16, 'cpu_millis': 10, **document}
        answer = self.request('PUT', f'/v1/functions/{name}', document)
        assert answer.status in (200, 201), f'PUT of function {name}: {answer}'
        return answer.json()

    def shell(self, name, script, env=None, **document):
        """Registers a shell script that sees $DIR, a folder which it may write, and $MARK."""
        return self.put_function(name, command=['sh', '-c', script],
                                 env={'DIR': self.shared, 'MARK': self.mark, **(env or {})},
                                 **document)

    def deploy(self, name, files, **document):
        """Uploads {path: content} as a package and registers the function that uses it."""
        answer = self.request('POST', f'/v1/functions/{name}/versions', tar_of(files),
                              {'Content-Type': 'application/x-tar'})
        assert answer.status in (200, 201), f'upload for {name}: {answer}'
        return self.put_function(name, package=answer.json()['package'], **document)

    def submit(self, function, body=b'', headers=()):
        """Submits and returns the document of the 202."""
        answer = self.request('POST', f'/v1/functions/{function}/invocations', body, headers)
        assert answer.status == 202, f'submit to {function}: {answer}'
        return answer.json()

    def get(self, invocation):
        answer = self.request('GET', f'/v1/invocations/{invocation}')
        assert answer.status == 200, f'get {invocation}: {answer}'
        return answer.json()

    def wait(self, invocation, timeout=60.0):
        """The document once it has ended."""
        return self.wait_state(invocation, ENDED, timeout)

    def wait_state(self, invocation, states, timeout=60.0):
        states = (states,) if isinstance(states, str) else states
        deadline = time.monotonic() + timeout
        query = ''
        while True:
            answer = self.request('GET', f'/v1/invocations/{invocation}{query}')
            assert answer.status == 200, f'get {invocation}: {answer}'
            document = answer.json()
            if document['state'] in states:
                return document
            assert document['state'] not in ENDED, f'expected one of {states}: {document}'
            left = deadline - time.monotonic()
            assert left > 0, f'after {timeout} s still {document["state"]}: {document}'
            query = (f'?wait={max(1, min(30, int(left)))}s'
                     f'&revision={document["revision"]}.{document["status_version"]}')

    def run(self, function, body=b'', headers=(), timeout=60.0):
        """Submits, waits for success and returns (document, result bytes)."""
        document = self.wait(self.submit(function, body, headers)['id'], timeout)
        equal(document['state'], 'succeeded', f'end of {document}')
        return document, self.result(document['id'])

    def result(self, invocation):
        answer = self.request('GET', f'/v1/invocations/{invocation}/result')
        assert answer.status == 200, f'result of {invocation}: {answer}'
        return answer.body

    def logs(self, invocation, query='', accept='text/plain'):
        answer = self.request('GET', f'/v1/invocations/{invocation}/logs{query}',
                              headers={'Accept': accept})
        assert answer.status == 200, f'logs of {invocation}: {answer}'
        return answer.body.decode()

    def kill(self, invocation, body=None):
        return self.request('POST', f'/v1/invocations/{invocation}/kill', body)

    def cancel(self, invocation, body=None):
        return self.request('POST', f'/v1/invocations/{invocation}/cancel', body)

    def count(self, query=''):
        answer = self.request('GET', f'/v1/invocations:count{query}')
        assert answer.status == 200, f'count: {answer}'
        return answer.json()['count']

    # -- what functions leave in the shared folder

    def files(self, prefix=''):
        return sorted(f for f in os.listdir(self.shared) if f.startswith(prefix))

    def read(self, name):
        with open(os.path.join(self.shared, name), encoding='utf-8') as file:
            return file.read()

    def touch(self, name):
        with open(os.path.join(self.shared, name), 'w', encoding='utf-8'):
            pass

    def processes(self):
        """The functions' processes, by their mark."""
        return procs.marked(self.mark)
