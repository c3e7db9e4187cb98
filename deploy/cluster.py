#!/usr/bin/env python3
"""A cluster on this machine: nats-server, status service, gateway and host agents as programs of
their own, on loopback, out of one folder.

  cluster.py up [--dir DIR] [--hosts N]   starts what does not run, waits until it is ready
  cluster.py status [--dir DIR]           what runs, and where
  cluster.py down [--dir DIR]             ends all that was started there, instances too

A program is known by its process id and start time, kept in DIR/cluster.json, so that a process
that merely got the same id is never taken for it. Addresses are kept there too: a program that is
started again is found where it was. The integration tests use the class Cluster.
"""

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
READY_SECONDS = 60
STOP_SECONDS = 15
# Below the range from which the kernel takes ports for outgoing connections: what was free stays
# free while its program is down.
PORTS = (20000, 32000)
# What this process has given out already. A program binds its port only when it starts, and not
# while it is down: until then the kernel calls that port free.
_given_ports = set()


class Failure(Exception):
    """One sentence for a person."""


def process_start(pid):
    """When it started, in the kernel's ticks; None if there is no such process or it has ended."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            fields = file.read().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else int(fields[19])


def free_port():
    while True:
        port = random.randrange(*PORTS)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def wait_until(question, what, seconds):
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise Failure(f'after {seconds} s still not: {what}')
        time.sleep(0.02)


def answers(address, path):
    """Whether GET gives a 2xx; its body, where it does."""
    try:
        with urllib.request.urlopen(f'http://{address}{path}', timeout=5) as answer:
            return answer.read() or True
    except (OSError, urllib.error.URLError):
        return None


class Cluster:
    """The programs of one folder. Names: nats, status_service, gateway, host_1, host_2, …"""

    def __init__(self, folder, programs, hosts=2, settings=None, nats=True):
        """settings: {program's name, or host_agent for all: [its further arguments]}."""
        self.folder = os.path.abspath(folder)
        self.programs = programs  # the folder of the executables
        self.settings = settings or {}
        self.ips = {}             # {program's name: its IP}, where that is not 127.0.0.1
        self.prefixes = {}        # {program's name: words before its command}
        self.children = {}        # of this process, to be reaped
        self.memory = {'hosts': hosts, 'nats': nats, 'addresses': {}, 'processes': {}}
        try:
            with open(self._file('cluster.json'), encoding='utf-8') as file:
                self.memory = json.load(file)
        except OSError:
            pass
        _given_ports.update(int(address.rpartition(':')[2])
                            for address in self.memory['addresses'].values())

    # -- names and places

    def hosts(self):
        return [f'host_{n + 1}' for n in range(self.memory['hosts'])]

    def names(self):
        """In the order of the start."""
        return ((['nats'] if self.memory['nats'] else []) + ['status_service', 'gateway']
                + self.hosts())

    def _file(self, *parts):
        return os.path.join(self.folder, *parts)

    def log_file(self, name):
        return self._file('logs', name + '.log')

    def address(self, key):
        """"gateway.public": fixed at the first use."""
        known = self.memory['addresses']
        if key not in known:
            known[key] = f'{self.ips.get(key.split(".")[0], "127.0.0.1")}:{free_port()}'
        return known[key]

    def _save(self):
        with open(self._file('cluster.json.new'), 'w', encoding='utf-8') as file:
            json.dump(self.memory, file, indent=1)
        os.replace(self._file('cluster.json.new'), self._file('cluster.json'))

    def _prepare(self):
        for part in ('', 'logs', 'run', 'nats', 'blobs'):
            os.makedirs(self._file(part), exist_ok=True)
        os.chmod(self.folder, 0o711)  # functions may run as users of their own
        if not os.path.exists(self._file('secret')):
            with open(os.open(self._file('secret'), os.O_WRONLY | os.O_CREAT, 0o600), 'w',
                      encoding='ascii') as file:
                file.write(secrets.token_hex(16) + '\n')

    # -- one program

    def _command(self, name):
        if name == 'nats':
            host, port = self.address('nats').split(':')
            return [find_nats(), '-a', host, '-p', port, '-sd', self._file('nats'),
                    *self.settings.get('nats', [])]
        kind = 'host_agent' if name.startswith('host_') else name
        command = [os.path.join(self.programs, kind),
                   '--ready-file', self._file('run', name + '.json'),
                   '--set', 'secret_file=' + self._file('secret')]
        command += self._own_arguments(name, kind)
        return command + self.settings.get(kind, []) + (
            self.settings.get(name, []) if kind != name else [])

    def _own_arguments(self, name, kind):
        nats = (['--nats', 'nats://' + self.address('nats')] if self.memory['nats'] else [])
        if kind == 'status_service':
            return ['--listen', self.address('status_service.internal'),
                    '--admin-listen', self.address('status_service.admin'),
                    '--gateways', self.address('gateway.internal'), *nats]
        if kind == 'gateway':
            return ['--listen', self.address('gateway.public'),
                    '--internal-listen', self.address('gateway.internal'),
                    '--admin-listen', self.address('gateway.admin'),
                    '--status-service', self.address('status_service.internal'),
                    '--data-dir', self._file('gateway'), '--blob-dir', self._file('blobs'), *nats]
        return ['--listen', self.address(name + '.internal'),
                '--admin-listen', self.address(name + '.admin'),
                '--status-service', self.address('status_service.internal'),
                '--data-dir', self._file(name), '--blob-dir', self._file('blobs'),
                '--set', 'host_id=' + name.replace('_', '-')]

    def pid(self, name):
        """Its process id, or None where it does not run."""
        known = self.memory['processes'].get(name)
        if known is None:
            return None
        child = self.children.get(name)
        if child is not None and child.pid == known['pid'] and child.poll() is not None:
            return None
        return known['pid'] if process_start(known['pid']) == known['start'] else None

    def launch(self, name):
        """Starts it, if it does not run, and does not wait. True where it did."""
        if self.pid(name) is not None:
            return False
        self._prepare()
        command = self.prefixes.get(name, []) + self._command(name)
        ready = self._file('run', name + '.json')
        if os.path.exists(ready):
            os.unlink(ready)
        with open(self.log_file(name), 'ab') as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     cwd=self.folder, start_new_session=True)
        self.children[name] = child
        self.memory['processes'][name] = {'pid': child.pid, 'start': process_start(child.pid)}
        self._save()
        return True

    def ready(self, name):
        if self.pid(name) is None:
            raise Failure(f'{name} has ended; the end of {self.log_file(name)}:\n'
                          + self.log_tail(name, 15))
        if name == 'nats':
            return self._nats_answers()
        try:
            with open(self._file('run', name + '.json'), encoding='utf-8') as file:
                return json.load(file)['pid'] == self.pid(name)
        except (OSError, ValueError):
            return False

    def _nats_answers(self):
        host, port = self.address('nats').split(':')
        try:
            with socket.create_connection((host, int(port)), timeout=2) as probe:
                return probe.recv(4) == b'INFO'
        except OSError:
            return False

    def start_one(self, name, seconds=READY_SECONDS):
        started = self.launch(name)
        wait_until(lambda: self.ready(name), f'{name} is ready', seconds)
        return started

    def signal(self, name, number):
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, number)

    def kill_9(self, name):
        self.signal(name, signal.SIGKILL)
        self._wait_end(name, STOP_SECONDS)

    def suspend(self, name):
        self.signal(name, signal.SIGSTOP)

    def resume(self, name):
        self.signal(name, signal.SIGCONT)

    def stop_one(self, name, seconds=STOP_SECONDS):
        """By SIGTERM; by SIGKILL where that does not do. Its exit code where it is our child."""
        self.signal(name, signal.SIGCONT)
        self.signal(name, signal.SIGTERM)
        try:
            self._wait_end(name, seconds)
        except Failure:
            self.kill_9(name)
        child = self.children.get(name)
        # It may look like a zombie while threads of it are still ending: then waiting is short.
        return None if child is None else child.wait(seconds)

    def _wait_end(self, name, seconds):
        wait_until(lambda: self.pid(name) is None, f'{name} has ended', seconds)

    # -- all of them

    def start(self, seconds=READY_SECONDS):
        """Starts what does not run and waits until work can be done. Names of what it started."""
        started = [name for name in self.names() if self.launch(name)]
        for name in self.names():
            wait_until(lambda n=name: self.ready(n), f'{name} is ready', seconds)
        wait_until(self.has_all_hosts, 'the gateway knows all hosts', seconds)
        return started

    def has_all_hosts(self):
        body = answers(self.address('gateway.public'), '/v1/hosts')
        if not body or not answers(self.address('gateway.admin'), '/readyz'):
            return False
        known = {h['host'] for h in json.loads(body)['hosts'] if h['reachable']}
        return known >= {name.replace('_', '-') for name in self.hosts()}

    def stop(self):
        """The callers' side first, so that nobody reports to nobody. {name: exit code}."""
        order = ['gateway'] + self.hosts() + ['status_service', 'nats']
        running = [name for name in order if self.pid(name) is not None]
        return {name: self.stop_one(name) for name in running}

    def instances(self):
        """Runtime agents of its hosts: {pid: command line}."""
        found = {}
        for entry in os.listdir('/proc'):
            try:
                with open(f'/proc/{entry}/cmdline', 'rb') as file:
                    words = file.read().split(b'\0')
            except OSError:
                continue
            if entry.isdigit() and words[0].endswith(b'runtime_agent_ext') and any(
                    w.startswith(self.folder.encode() + b'/') for w in words[1:]):
                found[int(entry)] = b' '.join(words).decode('utf-8', 'replace')
        return {pid: words for pid, words in found.items() if process_start(pid) is not None}

    def end_instances(self):
        """What they run ends with them. How many there were."""
        ended = self.instances()
        for pid in ended:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return len(ended)

    def log_tail(self, name, lines=40):
        try:
            with open(self.log_file(name), encoding='utf-8', errors='replace') as file:
                return ''.join(file.readlines()[-lines:])
        except OSError:
            return ''


def find_nats():
    path = shutil.which('nats-server', path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if path is None:
        raise Failure('nats-server is not there (Debian package nats-server)')
    return path


def table(cluster):
    rows = []
    for name in cluster.names():
        pid = cluster.pid(name)
        places = ', '.join(f'{key.partition(".")[2] or "clients"} {address}'
                           for key, address in sorted(cluster.memory['addresses'].items())
                           if key.split('.')[0] == name)
        rows.append(f'  {name:<15} {"pid " + str(pid) if pid else "not running":<12} {places}')
    return '\n'.join(rows)


def up(cluster):
    started = cluster.start()
    print('started: ' + ', '.join(started) if started else 'everything runs already')
    print(table(cluster))
    print(f'\nlogs: {os.path.join(cluster.folder, "logs")}\nto talk to it:\n'
          f'  export LONGHAUL_SERVER=http://{cluster.address("gateway.public")}\n'
          f'  {os.path.join(cluster.programs, "longhaul")} functions list')


def down(cluster):
    ended = cluster.stop()
    instances = cluster.end_instances()
    print(f'ended: {", ".join(ended)}; {instances} instances' if ended or instances
          else 'nothing was running')


def show(cluster):
    print(table(cluster))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('command', choices=('up', 'down', 'status'))
    parser.add_argument('--dir', default=os.path.join(ROOT, '.longhaul-cluster'))
    parser.add_argument('--bin', default=os.path.join(ROOT, 'build', 'bin'))
    parser.add_argument('--hosts', type=int, default=2)
    arguments = parser.parse_args()
    known = os.path.exists(os.path.join(arguments.dir, 'cluster.json'))
    if arguments.command != 'up' and not known:
        print(f'there is no cluster in {arguments.dir}')
        return 0
    cluster = Cluster(arguments.dir, arguments.bin, arguments.hosts)
    try:
        {'up': up, 'down': down, 'status': show}[arguments.command](cluster)
    except Failure as failure:
        print(f'cluster {arguments.command}: {failure}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
