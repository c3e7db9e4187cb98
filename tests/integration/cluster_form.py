"""The whole system as programs of their own over a real nats-server, for the same tests."""

import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, 'deploy'))
import cluster  # noqa: E402


def settings_of(arguments):
    """What `longhaul dev` would take as `--set part.name=value`, by program."""
    found = {'gateway': ['--set', 'trust_tenant_header=true', '--log-level', 'warning'],
             'status_service': ['--log-level', 'warning'],
             'host_agent': ['--log-level', 'warning']}
    for flag, text in zip(arguments[::2], arguments[1::2]):
        part, _, setting = text.partition('.')
        assert flag == '--set' and part in found, f'{flag} {text} is not for a cluster'
        found[part] += ['--set', setting]
    return found


class ClusterForm(harness.Dev):
    """A Dev whose life is that of four programs; nats-server outlives their ends."""

    form = 'cluster'
    host_count = 2

    def __init__(self, arguments=()):
        super().__init__(arguments)
        self.cluster = cluster.Cluster(self.data, os.path.dirname(harness.binary()),
                                       hosts=self.host_count,
                                       settings=settings_of(self.arguments))

    def set(self, setting):
        part, _, rest = setting.partition('.')
        self.cluster.settings[part] += ['--set', rest]

    def launch(self):
        for name in self.cluster.names():
            self.cluster.launch(name)

    def start(self, timeout=30.0):
        self.cluster.start(timeout)
        self.public, self.internal, self.admin = (
            self.cluster.address('gateway.' + listener)
            for listener in ('public', 'internal', 'admin'))
        return self

    def own(self):
        return [name for name in self.cluster.names() if name != 'nats']

    def alive(self):
        return all(self.cluster.pid(name) for name in self.cluster.names())

    def why_ended(self):
        return 'ended: ' + ', '.join(n for n in self.cluster.names() if not self.cluster.pid(n))

    def kill_9(self):
        for name in self.own():
            self.cluster.kill_9(name)

    def stop(self, number=harness.signal.SIGTERM, timeout=15.0):
        assert number == harness.signal.SIGTERM, 'a cluster is stopped by SIGTERM'
        order = ['gateway'] + self.cluster.hosts() + ['status_service']
        return max(abs(self.cluster.stop_one(name, timeout)) for name in order)

    def close(self):
        self.cluster.stop()
        super().close()

    def log_tail(self, lines=25):
        return '\n'.join(f'-- {name}\n{self.cluster.log_tail(name, lines)}'
                         for name in self.cluster.names())
