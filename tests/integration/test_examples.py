"""The examples, run as their READMEs say."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import harness
from harness import Skip, equal, limit, until

EXAMPLES = os.path.join(harness.ROOT, 'examples')


def longhaul(dev, *arguments, stdin=None, expect=0):
    done = subprocess.run(
        [harness.binary(), *arguments, '--server', f'http://{dev.public}'], input=stdin or '',
        capture_output=True, text=True, cwd=harness.ROOT, timeout=60, check=False)
    equal(done.returncode, expect, f'exit code of {arguments}: {done.stdout}{done.stderr}')
    return done


def test_report_python(dev):
    out = longhaul(dev, 'deploy', 'examples/functions/report-python').stdout
    assert 'sha256:' in out and 'longhaul submit report' in out, out
    done = longhaul(dev, 'submit', 'report', '--data', '{"seconds": 1}', '--logs')
    equal(json.loads(done.stdout)['orders'], 488, 'orders')
    assert '[12/12] 2025-12' in done.stderr and 'done' in done.stderr, done.stderr
    north = longhaul(dev, 'submit', 'report', '--data', '{"region": "north"}', '--wait').stdout
    equal(list(json.loads(north)['by_region']), ['north'], 'regions')


def test_report_python_fails_with_its_reason(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    done = longhaul(dev, 'submit', 'report', '--data', '{"fail": true}', '--wait', expect=1)
    assert 'asked to fail' in done.stderr, done.stderr


def test_wordcount_shell(dev):
    longhaul(dev, 'deploy', 'examples/functions/wordcount-shell')
    done = longhaul(dev, 'submit', 'wordcount', '-', '--logs', stdin='to be or\nnot to be')
    equal([line.split() for line in done.stdout.splitlines()],
          [['2', 'be'], ['2', 'to'], ['1', 'not'], ['1', 'or']], 'counts')
    assert 'done' in done.stderr, done.stderr
    done = longhaul(dev, 'submit', 'wordcount', '--file', 'README.md', '--wait')
    equal(len(done.stdout.splitlines()), 10, 'lines of the result')


def test_mandelbrot_node(dev):
    if shutil.which('node') is None:
        raise Skip('node is not installed')
    longhaul(dev, 'deploy', 'examples/functions/mandelbrot-node')
    data = '{"width": 90, "height": 60, "depth": 500}'
    identity = longhaul(dev, 'submit', 'mandelbrot', '--data', data).stdout.strip()
    document = dev.wait(identity)
    equal(document['state'], 'succeeded', f'end of {document}')
    equal(document['progress']['percent'], 100, 'progress')
    picture = dev.result(identity)
    equal((picture[:8], picture[16:24]), (b'\x89PNG\r\n\x1a\n', b'\0\0\0Z\0\0\0<'), 'PNG')
    assert 'row 60 of 60' in dev.logs(identity)
    done = longhaul(dev, 'submit', 'mandelbrot', '--data', '{"width": 0}', '--wait', expect=1)
    assert 'width must be' in done.stderr, done.stderr


def test_tour_http(dev):
    longhaul(dev, 'deploy', 'examples/functions/tour-http')
    done = longhaul(dev, 'submit', 'tour', '--data', '{"random": 60, "seconds": 1}', '--logs')
    tour = json.loads(done.stdout)
    equal(len(tour['tour']), 60, 'points')
    assert tour['length'] <= tour['first'], tour
    assert 'the nearest first' in done.stderr, done.stderr
    done = longhaul(dev, 'submit', 'tour', '--data', '{"random": 1}', '--wait', expect=1)
    assert 'status 400' in done.stderr, done.stderr


def test_watch_python(dev):
    longhaul(dev, 'deploy', 'examples/functions/watch-python')
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))  # and does not listen
        url = f'http://127.0.0.1:{nobody.getsockname()[1]}/'
        data = json.dumps({'url': url, 'every': 0.1})
        waits = longhaul(dev, 'submit', 'watch', '--data', data).stdout.strip()
        until(lambda: 'try 2' in dev.logs(waits), 'it tries again')
        data = json.dumps({'url': f'http://{dev.public}/v1/functions'})
        done = longhaul(dev, 'submit', 'watch', '--data', data, '--logs')
        equal(json.loads(done.stdout)['tries'], 1, 'tries')
        equal(done.stderr.count('try'), 1, f'tries in the log {done.stderr}')
        equal(dev.get(waits)['state'], 'running', 'the other')
        longhaul(dev, 'cancel', waits)
        document = dev.wait(waits)
    equal((document['state'], document['stop']['confirmed']), ('cancelled', True), 'end')
    assert 'told to return' in dev.logs(waits)


def test_primes_cpp(dev):
    if shutil.which('g++') is None:
        raise Skip('g++ is not installed')
    folder = os.path.join(EXAMPLES, 'functions', 'primes-cpp')
    subprocess.run([os.path.join(folder, 'build.sh')], check=True, timeout=60)
    longhaul(dev, 'deploy', 'examples/functions/primes-cpp')
    done = longhaul(dev, 'submit', 'primes', '--data', '{"to": 1000000}', '--logs')
    equal(json.loads(done.stdout), {'to': 1000000, 'primes': 78498, 'largest': 999983}, 'result')
    assert '100 %: 78498 primes' in done.stderr, done.stderr
    longhaul(dev, 'submit', 'primes', '--data', 'none', '--wait', expect=1)


class PythonClient:
    """The client's program; what it says on stderr is read from a file, as it comes."""

    def __init__(self, dev, *arguments, server=None):
        self.log = os.path.join(dev.base, 'client.log')
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, os.path.join(EXAMPLES, 'clients', 'python_client.py'),
                 *arguments],
                env={**os.environ, 'LONGHAUL_SERVER': f'http://{server or dev.public}'},
                stdout=subprocess.PIPE, stderr=log)

    def said(self):
        with open(self.log, encoding='utf-8') as file:
            return file.read()

    def wait_for(self, text):
        until(lambda: text in self.said() or self.process.poll() is not None, text, 30)
        assert text in self.said(), self.said()

    def end(self):
        """(exit code, stdout)"""
        out = self.process.communicate(timeout=60)[0]
        return self.process.returncode, out


class Proxy:
    """Passes connections on to a server, until it cuts them."""

    def __init__(self, target):
        host, port = target.split(':')
        self.target = (host, int(port))
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = f'127.0.0.1:{self.listener.getsockname()[1]}'
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            far = socket.create_connection(self.target)
            self.sockets += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    @staticmethod
    def pass_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.clear()


def test_python_client(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    client = PythonClient(dev, 'report', '{"seconds": 1}')
    code, out = client.end()
    equal(code, 0, f'exit code: {client.said()}')
    equal(json.loads(out)['orders'], 488, 'orders')
    for part in ('submitted: ', 'state: succeeded', '[1/12]', '[12/12]'):
        equal(client.said().count(part), 1, f'times that {part} is in {client.said()}')


def test_python_client_cancels(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    client = PythonClient(dev, 'report', '{"seconds": 50}')
    client.wait_for('stdout |')
    client.process.send_signal(signal.SIGINT)
    code, _ = client.end()
    equal(code, 1, f'exit code: {client.said()}')
    assert 'state: cancelled' in client.said(), client.said()


def test_python_client_goes_on_where_its_connections_broke(dev):
    dev.shell('lines', 'for n in 1 2 3 4 5 6; do echo "line $n" >&2; '
                       'while [ ! -e "$DIR/go-$n" ]; do sleep 0.02; done; done; echo done')
    proxy = Proxy(dev.public)
    client = PythonClient(dev, 'lines', '', server=proxy.address)
    for number in range(1, 7):
        client.wait_for(f'line {number}\n')
        if number % 2 == 0:
            proxy.cut()
        dev.touch(f'go-{number}')
    code, out = client.end()
    equal((code, out), (0, b'done\n'), f'end: {client.said()}')
    for number in range(1, 7):
        equal(client.said().count(f'line {number}\n'), 1, f'times of line {number}')


@limit(90)
def test_curl_client(dev):
    longhaul(dev, 'deploy', 'examples/functions/report-python')
    done = subprocess.run(['sh', os.path.join(EXAMPLES, 'clients', 'curl.sh')],
                          env={**os.environ, 'LONGHAUL_SERVER': f'http://{dev.public}'},
                          capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, f'exit code: {done.stderr}')
    equal(json.loads(done.stdout)['orders'], 488, 'orders')
    for part in ('submitted: ', 'state: succeeded', '[12/12]'):
        assert part in done.stderr, done.stderr
