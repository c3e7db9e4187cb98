"""The command line: exit codes, JSON, messages that help."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import harness
from harness import equal, until


def longhaul(dev, *arguments, expect=0, server=None):
    done = subprocess.run(
        [harness.binary(), *arguments],
        env={**os.environ, 'LONGHAUL_SERVER': server or f'http://{dev.public}'},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, expect, f'exit code of {arguments}: {done.stdout}{done.stderr}')
    return done


def test_exit_codes(dev):
    dev.put_function('echo', command=['cat'])
    dev.put_function('no', command=['false'])
    longhaul(dev, 'submit', 'echo', '--data', 'x', '--wait')
    longhaul(dev, 'submit', 'no', '--wait', expect=1)
    longhaul(dev, 'submit', 'echo', '--nonsense', expect=2)
    longhaul(dev, 'get', 'unknown', expect=4)
    longhaul(dev, 'submit', 'nosuch', expect=4)
    done = longhaul(dev, 'list', server='http://127.0.0.1:1', expect=3)
    assert 'http://127.0.0.1:1' in done.stderr and 'longhaul dev' in done.stderr, done.stderr
    ended = dev.run('echo', b'x')[0]['id']
    longhaul(dev, 'kill', ended, expect=5)


@contextlib.contextmanager
def server_that_says(answer):
    """A TCP server that answers every connection with those bytes (None: never)."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        kept = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{listener.getsockname()[1]}'
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def test_a_server_that_is_not_there_is_told_in_clear_words(dev):
    """Which address was tried, who named it, what is wrong with it, what to do."""
    def words(*arguments, server=None, contains):
        text = longhaul(dev, *arguments, server=server, expect=3).stderr
        for word in contains:
            assert word in text, f'"{word}" is not in: {text}'
    words('list', server='http://127.0.0.1:1',
          contains=('http://127.0.0.1:1', 'LONGHAUL_SERVER', 'refused', 'longhaul dev'))
    words('--server', '127.0.0.1:1', 'list', contains=('from --server', 'longhaul dev'))
    words('list', server='http://no-such-host.invalid:7070',
          contains=('no host named', 'no-such-host.invalid'))
    for port in (dev.admin, dev.internal):
        words('list', server=f'http://{port}', contains=(port, 'public address'))
    with server_that_says(b'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n'
                          b'Content-Length: 5\r\nConnection: close\r\n\r\n<hi/>') as other:
        words('list', server=other, contains=(other, 'not longhaul', '404', 'text/html'))
    with server_that_says(b'220 mail.example ESMTP\r\n') as other:
        words('list', server=other, contains=(other, 'not longhaul', 'HTTP'))


def test_a_mistyped_command_is_guessed(dev):
    done = longhaul(dev, 'sumbit', 'echo', expect=2)
    assert "no command 'sumbit'" in done.stderr and "'submit'" in done.stderr, done.stderr
    done = longhaul(dev, '--server', 'http://x', 'frobnicate', expect=2)
    assert "no command 'frobnicate'" in done.stderr and 'mean' not in done.stderr, done.stderr
    assert longhaul(dev, '--version').stdout.startswith('longhaul '), 'a version'
    equal(longhaul(dev, '--version').stdout, longhaul(dev, 'version').stdout, 'both versions')


def test_hosts(dev):
    hosts = json.loads(longhaul(dev, 'hosts', '-o', 'json').stdout)
    equal(len(hosts), dev.host_count, 'hosts')
    table = longhaul(dev, 'hosts').stdout
    for host in hosts:
        assert host['host'] in table and 'ready' in table, table


def completions(shell, dev, *words):
    """What the script of `longhaul completion` offers for the last of the words."""
    folder = os.path.dirname(harness.binary())
    if shell == 'bash':
        script = ('source <(longhaul completion bash); COMP_WORDS=(longhaul "$@"); '
                  'COMP_CWORD=$#; _longhaul; printf "%s\\n" "${COMPREPLY[@]}"')
    else:
        script = ('compdef() { :; }; _files() { :; }; compadd() { shift; print -l -- "$@"; }; '
                  'source <(longhaul completion zsh); words=(longhaul "$@"); CURRENT=$#words; '
                  '_longhaul')
    done = subprocess.run([shell, '-c', script, shell, *words], stdin=subprocess.DEVNULL,
                          env={**os.environ, 'LONGHAUL_SERVER': f'http://{dev.public}',
                               'PATH': f'{folder}:{os.environ["PATH"]}'},
                          capture_output=True, text=True, timeout=30, check=False)
    assert not done.stderr and done.returncode == 0, done
    return done.stdout.split()


def completion_in(shell, dev):
    if not shutil.which(shell):
        raise harness.Skip(f'{shell} is not installed')
    dev.put_function('completed', command=['cat'])
    ended = dev.run('completed', b'x')[0]['id']
    equal(completions(shell, dev, 'sub'), ['submit'], 'a command')
    assert {'cancel', 'completion'} <= set(completions(shell, dev, 'c')), 'commands with c'
    assert 'completed' in completions(shell, dev, 'submit', ''), 'functions'
    assert 'completed' in completions(shell, dev, 'list', '--function', 'comp'), 'functions'
    options = completions(shell, dev, 'submit', 'completed', '--')
    assert {'--wait', '--server'} <= set(options), options
    equal(completions(shell, dev, 'get', ended[:-2]), [ended], 'an id')
    equal(completions(shell, dev, '-o', 'j'), ['json'], 'a value')
    equal(completions(shell, dev, 'list', '--state', 'exp'), ['expired'], 'a state')
    assert 'list' in completions(shell, dev, 'functions', ''), 'a command of a command'
    equal(completions(shell, dev, '--server', 'http://127.0.0.1:1', 'get', ''), [],
          'ids where no server is')


def test_completion_in_bash(dev):
    completion_in('bash', dev)


def test_completion_in_zsh(dev):
    completion_in('zsh', dev)


def test_submit_and_wait_live_through_a_restart(fresh):
    """As `wait` and `logs -f` do: the same port again, and nothing of it is lost."""
    fresh.start()
    fresh.port = fresh.public.rpartition(':')[2]
    fresh.arguments = ['--internal-port', '0', '--admin-port', '0']
    fresh.shell('gated', 'echo first >&2; while [ ! -e "$DIR/go" ]; do sleep 0.05; done; '
                         'echo last >&2; echo done')
    for argument in ('--wait', '--logs'):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(fresh.shared, 'go'))
        waiting = subprocess.Popen(
            [harness.binary(), '--server', f'http://{fresh.public}', 'submit', 'gated', argument],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: fresh.request('GET', '/v1/invocations:count?state=running').json()['count'],
              'it runs')
        fresh.stop(signal.SIGTERM)
        fresh.touch('go')
        fresh.start()
        out, err = waiting.communicate(timeout=60)
        equal((waiting.returncode, out), (0, 'done\n'), f'submit {argument}: {err}')
        if argument == '--logs':
            assert 'first\n' in err and 'last\n' in err, err


def test_json_and_key(dev):
    dev.put_function('echo', command=['cat'])
    first = json.loads(longhaul(dev, 'submit', 'echo', '--data', 'x', '--key', 'k1', '--label',
                                'part=json', '-o', 'json').stdout)
    again = longhaul(dev, 'submit', 'echo', '--data', 'x', '--key', 'k1', '--label',
                     'part=json').stdout.strip()
    equal(again, first['id'], 'id under the same key')
    equal(json.loads(longhaul(dev, 'wait', first['id'], '-o', 'json').stdout)['state'],
          'succeeded', 'state')
    rows = json.loads(longhaul(dev, 'list', '--label', 'part=json', '-o', 'json').stdout)
    equal([row['id'] for row in rows], [first['id']], 'list')
    equal(longhaul(dev, 'result', first['id']).stdout, 'x', 'result')


def test_functions(dev):
    dev.put_function('listed', command=['cat', '-'])
    assert 'listed' in longhaul(dev, 'functions', 'list').stdout
    document = json.loads(longhaul(dev, 'functions', 'get', 'listed', '-o', 'json').stdout)
    equal(document['command'], ['cat', '-'], 'command')
    longhaul(dev, 'functions', 'rm', 'listed')
    longhaul(dev, 'functions', 'get', 'listed', expect=4)


def test_kill_and_its_exit_code(dev):
    dev.put_function('sleeper', command=['sleep', '600'])
    invocation = longhaul(dev, 'submit', 'sleeper').stdout.strip()
    dev.wait_state(invocation, 'running')
    longhaul(dev, 'kill', invocation, '--wait', '--reason', 'test')
    longhaul(dev, 'wait', invocation, expect=6)


def test_a_wrong_function_toml_is_told_all_at_once(dev):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'function.toml'), 'w', encoding='utf-8') as file:
            file.write('name = "a"\ncommand = ["true"]\ntimout = "3m"\nmax_running = 0\n'
                       'concurrency = 500\n')
        done = longhaul(dev, 'deploy', folder, expect=2)
        for word in ('function.toml:3', 'timout', 'max_running', 'concurrency'):
            assert word in done.stderr, done.stderr
