"""The programs one by one: what they refuse, how they say so, and the tool that runs them all."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import cluster_form
import harness
import procs
from harness import equal, until

FORMS = ('cluster',)
SERVERS = ('gateway', 'status_service', 'host_agent')
DEPLOY = os.path.join(harness.ROOT, 'deploy')


def program(name):
    return os.path.join(os.path.dirname(harness.binary()), name)


def call(*words, expect, environment=None, timeout=20):
    done = subprocess.run(words, env={**os.environ, **(environment or {})},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False)
    equal(done.returncode, expect, f'exit code of {words}: {done.stdout}{done.stderr}')
    return done


def test_each_server_explains_itself():
    for name in SERVERS:
        text = call(program(name), '--help', expect=0).stdout
        for word in ('Examples:', '--config', '--check', f'LONGHAUL_{name.upper()}_', '--listen'):
            assert word in text, f'{word} is not in the help of {name}: {text}'
        assert name in call(program(name), '--version', expect=0).stdout
        assert 'valid' in call(program(name), '--check', expect=0).stdout


def test_no_port_is_given_out_twice():
    """A host agent could not listen: its port, still unbound, had been given to another too."""
    given = [cluster_form.cluster.free_port() for _ in range(1000)]
    equal(len(set(given)), len(given), 'different ports')


def test_all_problems_are_told_at_once():
    for name in SERVERS:
        done = call(program(name), '--check', '--listen', 'nowhere', '--set', 'banana=1', '--what',
                    expect=2, environment={f'LONGHAUL_{name.upper()}_ADMIN_LISTEN': '7'})
        for word in ('--listen', 'banana', '--what', f'LONGHAUL_{name.upper()}_ADMIN_LISTEN'):
            assert word in done.stderr, f'{word} is not in {done.stderr}'


def test_the_effective_configuration_can_be_fed_back():
    for name in SERVERS:
        environment = {f'LONGHAUL_{name.upper()}_SECRET': 'tell-nobody'}
        first = call(program(name), '--print-config', '--log-level', 'debug', expect=0,
                     environment=environment).stdout
        assert 'tell-nobody' not in first and 'from --log-level' in first, first
        with tempfile.NamedTemporaryFile('w', suffix='.toml', encoding='utf-8') as file:
            file.write(first)
            file.flush()
            again = call(program(name), '--print-config', '--config', file.name, expect=0,
                         environment=environment).stdout
        values = [[line.split('  #')[0] for line in text.splitlines()] for text in (first, again)]
        equal(values[1], values[0], f'configuration of {name} the second time')


def test_an_open_internal_listener_needs_the_secret():
    for name, flag in (('gateway', '--internal-listen'), ('status_service', '--listen'),
                       ('host_agent', '--listen')):
        done = call(program(name), '--check', flag, '10.1.2.3:0', expect=2)
        assert 'secret_file' in done.stderr, done.stderr
    secret = {'LONGHAUL_HOST_AGENT_SECRET': 'x'}
    wildcard = (program('host_agent'), '--check', '--listen', '0.0.0.0:7090')
    done = call(*wildcard, expect=2, environment=secret)
    assert 'advertise is needed' in done.stderr, done.stderr
    call(*wildcard, '--advertise', '10.1.2.3:0', expect=0, environment=secret)


def test_the_examples_of_configuration_are_valid():
    files = sorted(glob.glob(os.path.join(DEPLOY, 'config', '*.toml')))
    equal([os.path.basename(f)[:-5] for f in files], sorted(SERVERS), 'examples')
    for path in files:
        name = os.path.basename(path)[:-5]
        call(program(name), '--check', '--config', path, expect=0)


def test_the_units_are_valid():
    if shutil.which('systemd-analyze') is None:
        raise harness.Skip('systemd-analyze is not there')
    units = sorted(glob.glob(os.path.join(DEPLOY, 'systemd', '*.service')))
    equal(len(units), 3, 'units')
    done = subprocess.run(['systemd-analyze', 'verify', *units], capture_output=True, text=True,
                          timeout=30, check=False)
    if 'Failed to initialize manager' in done.stderr:
        raise harness.Skip('systemd-analyze cannot work here: ' + done.stderr.strip())
    # That the programs are not installed here is no fault of the units.
    wrong = [line for line in done.stderr.splitlines()
             if 'longhaul' in line and 'is not executable' not in line]
    equal(wrong, [], 'what systemd finds')


def test_a_taken_port_and_a_taken_folder_are_named(dev):
    taken = dev.cluster.address('gateway.internal')
    secret = 'secret_file=' + os.path.join(dev.data, 'secret')
    free = ('--admin-listen', '127.0.0.1:0', '--set', secret)
    done = call(program('status_service'), '--listen', taken, *free, expect=1)
    assert taken in done.stderr and 'in use' in done.stderr, done.stderr
    for name, folder, more in (('gateway', 'gateway', ('--internal-listen', '127.0.0.1:0')),
                               ('host_agent', 'host_1', ())):
        done = call(program(name), '--listen', '127.0.0.1:0', *free, *more, '--data-dir',
                    os.path.join(dev.data, folder), '--ready-file', '', expect=1)
        assert 'in use by another process' in done.stderr, done.stderr


def test_up_and_down(fresh):
    tool = [sys.executable, os.path.join(DEPLOY, 'cluster.py')]
    place = ['--dir', fresh.data, '--bin', os.path.dirname(harness.binary())]
    done = call(*tool, 'up', *place, expect=0, timeout=60)
    assert 'export LONGHAUL_SERVER=http://' in done.stdout, done.stdout
    with open(os.path.join(fresh.data, 'cluster.json'), encoding='utf-8') as file:
        memory = json.load(file)
    fresh.public = memory['addresses']['gateway.public']
    fresh.put_function('echo', command=['cat'])
    equal(fresh.run('echo', b'x')[1], b'x', 'result')
    assert 'runs already' in call(*tool, 'up', *place, expect=0, timeout=60).stdout
    assert f'pid {memory["processes"]["gateway"]["pid"]}' in call(
        *tool, 'status', *place, expect=0).stdout
    done = call(*tool, 'down', *place, expect=0, timeout=60)
    for name in ('nats', 'gateway', 'host_1', 'host_2', 'status_service', 'instances'):
        assert name in done.stdout, done.stdout
    until(lambda: not procs.marked(fresh.data), 'nothing is left')
    assert 'nothing was running' in call(*tool, 'down', *place, expect=0).stdout


def test_without_nats_the_status_service_pushes(fresh):
    fresh.cluster.memory['nats'] = False
    fresh.start()
    fresh.put_function('echo', command=['cat'])
    for text in (b'1', b'2', b'3'):
        equal(fresh.run('echo', text)[1], text, 'result')
    fresh.cluster.kill_9('gateway')
    fresh.cluster.start_one('gateway')
    until(fresh.cluster.has_all_hosts, 'the registry was read')
    equal(fresh.run('echo', b'4')[1], b'4', 'result after a restart')
