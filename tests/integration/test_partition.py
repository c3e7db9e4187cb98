"""A host behind a link that is cut: silence is no proof, and a loss is judged by evidence.

The gateway's side and the host each have a network namespace made here, with a veth pair between
them; no packet leaves these. Needs root and iproute2.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

import harness
from harness import equal, limit, until

FORMS = ('cluster',)
CELL_IP, HOST_IP = '10.213.7.1', '10.213.7.2'
CLONE_NEWNET = 0x40000000
GATED = ('t=$(cat); mktemp "$DIR/start-$t.XXXXXX" > /dev/null; '
         'while [ ! -e "$DIR/go" ]; do sleep 0.05; done; echo "result of $t"')


def ip(*words):
    done = subprocess.run(['ip', *words], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        raise OSError(f'ip {" ".join(words)}: {done.stderr.strip()}')


def enter(path):
    """This thread, and what it starts, is in that network namespace from now on."""
    with open(path, 'rb') as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns')


class Link:
    """Two namespaces with a cable between them."""

    def __init__(self):
        self.cell, self.host = f'lh{os.getpid()}c', f'lh{os.getpid()}h'

    def make(self):
        for name in (self.cell, self.host):
            ip('netns', 'add', name)
            ip('-n', name, 'link', 'set', 'lo', 'up')
        ip('-n', self.cell, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable',
           'netns', self.host)
        for name, address in ((self.cell, CELL_IP), (self.host, HOST_IP)):
            ip('-n', name, 'address', 'add', address + '/24', 'dev', 'cable')
            ip('-n', name, 'link', 'set', 'cable', 'up')

    def set(self, word):
        ip('-n', self.host, 'link', 'set', 'cable', word)

    def remove(self):
        for name in (self.cell, self.host):
            with contextlib.suppress(OSError):
                ip('netns', 'del', name)


@contextlib.contextmanager
def divided(dev):
    """The system of `dev` with host_1 behind the link; gives the link."""
    if os.geteuid() != 0 or not shutil.which('ip') or not shutil.which('nsenter'):
        raise harness.Skip('needs root, and iproute2 for network namespaces')
    link = Link()
    try:
        link.make()
    except OSError as error:
        link.remove()
        raise harness.Skip(f'no network namespaces here: {error}') from error
    own = f'/proc/{os.getpid()}/task/{os.getpid()}/ns/net'
    with open(own, 'rb') as home:
        try:
            enter(f'/run/netns/{link.cell}')
            dev.cluster.ips = {'status_service': CELL_IP, 'host_1': HOST_IP}
            dev.cluster.prefixes = {'host_1': ['nsenter', f'--net=/run/netns/{link.host}']}
            dev.cluster.settings['gateway'] += [
                '--set', 'hosts.suspect_after=1s', '--set', 'hosts.grace=8s',
                '--set', 'hosts.call_limit=1s']
            dev.cluster.settings['host_agent'] += [
                '--set', 'announce_interval=200ms', '--set', 'report_timeout=1s',
                '--set', 'report_backoff_max=500ms']
            yield link
        finally:
            ctypes.CDLL(None).setns(home.fileno(), CLONE_NEWNET)
            dev.cluster.stop()
            dev.cluster.end_instances()
            link.remove()


def running_on_both(dev, name):
    """{host: ids} of four gated runs, all under way."""
    dev.shell(name, GATED, max_running=4)
    found = {}
    for number in range(4):
        invocation = dev.submit(name, f'{name}{number}'.encode())['id']
        document = dev.wait_state(invocation, 'running')
        until(lambda n=number: dev.files(f'start-{name}{n}.'), 'it has started')
        found.setdefault(document['attempts'][0]['host'], []).append(invocation)
    equal(sorted(found), ['host-1', 'host-2'], 'hosts that have work')
    return found


def started_once(dev, name):
    equal([len(dev.files(f'start-{name}{n}.')) for n in range(4)], [1] * 4, 'starts of each')


@limit(120)
def test_a_host_cut_off_is_suspect_and_adopted_when_the_link_heals(fresh):
    with divided(fresh) as link:
        fresh.start()
        runs = running_on_both(fresh, 'healed')
        link.set('down')
        for invocation in runs['host-1']:
            until(lambda i=invocation: fresh.get(i)['health'] == 'suspect', 'it is suspect')
            equal(fresh.get(invocation)['state'], 'running', 'state')
        equal({fresh.get(i)['health'] for i in runs['host-2']}, {'ok'}, 'health on the other host')
        link.set('up')
        for invocation in runs['host-1']:
            until(lambda i=invocation: fresh.get(i)['health'] == 'ok', 'it is well again')
        fresh.touch('go')
        for invocation in runs['host-1'] + runs['host-2']:
            document = fresh.wait(invocation)
            equal((document['state'], len(document['attempts'])), ('succeeded', 1), 'end')
        started_once(fresh, 'healed')


@limit(120)
def test_a_host_gone_for_good_loses_its_runs_with_evidence(fresh):
    with divided(fresh) as link:
        fresh.start()
        runs = running_on_both(fresh, 'gone')
        link.set('down')
        for invocation in runs['host-1']:
            document = fresh.wait(invocation, 40)
            equal((document['state'], document['error']['reason'], document['error']['fault']),
                  ('failed', 'lost', 'platform'), 'end')
            assert document['error']['evidence'], document
        link.set('up')
        # It returns: what was judged lost is fenced, so its processes are ended there.
        until(lambda: len([c for c in fresh.processes().values() if 'mktemp' in c])
              == len(runs['host-2']), 'what was lost runs no more', 30)
        fresh.touch('go')
        for invocation in runs['host-2']:
            equal(fresh.wait(invocation)['state'], 'succeeded', 'end on the other host')
        for invocation in runs['host-1']:
            equal(fresh.get(invocation)['state'], 'failed', 'the end of a lost one stands')
        started_once(fresh, 'gone')
