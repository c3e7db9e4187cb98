"""The command line: exit codes, JSON, messages that help."""

import json
import os
import subprocess
import tempfile

import harness
from harness import equal


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
                       'concurrency = 5\n')
        done = longhaul(dev, 'deploy', folder, expect=2)
        for word in ('function.toml:3', 'timout', 'max_running', 'concurrency'):
            assert word in done.stderr, done.stderr
