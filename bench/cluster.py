"""Measures the four programs over a real nats-server; `./dev bench cluster` runs it.

    ./dev bench cluster news [--runs N]                 from a function's end to a waiting poller
    ./dev bench cluster scale [--hosts N] [--runs N]    idle hosts and running sleeps: memory, CPU

Prints figures and what is measured beside them; judges nothing.
"""

import argparse
import os
import re
import socket
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))

import cluster_form  # noqa: E402

# The moment of the function's end is its result.
END = b'''import time

def main(event, context):
    time.sleep(0.01)
    return str(time.time_ns())
'''
ENDED = ('succeeded', 'failed', 'timed_out', 'cancelled', 'killed', 'expired')
LEAST_FREE_KIB = 3 << 20  # what the machine keeps for itself while sleeps are added
CPU_SECONDS = 10


def row(name, figure, note=''):
    print(f'  {name:<44} {figure:>16}   {note}', flush=True)


def us(value):
    return f'{value:.0f} us' if value < 10_000 else f'{value / 1000:.1f} ms'


def spread(times):
    times = sorted(times)
    return us(times[len(times) // 2]), f'p99 {us(times[int(len(times) * 0.99)])}, n {len(times)}'


def nats_round_trips(address, count):
    """Microseconds from a publish to the arrival at a subscriber of the same connection."""
    host, port = address.split(':')
    times = []
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.recv(65536)  # INFO
        wire.sendall(b'CONNECT {"verbose":false}\r\nSUB bench.news 1\r\nPING\r\n')
        while b'PONG' not in wire.recv(65536):
            pass
        payload = b'x' * 700  # as large as a change of a status
        for _ in range(count):
            begin = time.perf_counter()
            wire.sendall(b'PUB bench.news %d\r\n%s\r\n' % (len(payload), payload))
            got = b''
            while not got.endswith(payload + b'\r\n'):
                got += wire.recv(65536)
            times.append((time.perf_counter() - begin) * 1e6)
    return times


def wait_for_end(form, document):
    """(the ended document, when it was seen in Unix ns)."""
    while document['state'] not in ENDED:
        document = form.request(
            'GET', f'/v1/invocations/{document["id"]}?wait=30s'
            f'&revision={document["revision"]}.{document["status_version"]}').json()
        seen = time.time_ns()
    return document, seen


def news(count):
    form = cluster_form.ClusterForm()
    try:
        form.start()
        form.deploy('ends', {'app.py': END}, mode='handler', runtime='python',
                    handler='app.main')
        form.run('ends')
        times = []
        for _ in range(count):
            document, seen = wait_for_end(form, form.submit('ends'))
            times.append((seen - int(form.result(document['id']))) / 1000)
        figure, note = spread(nats_round_trips(form.cluster.address('nats'), 2000))
        row('bare NATS, publish to own subscriber, 700 B', figure, note)
        figure, note = spread(times)
        row('end of the function to its waiting poller', figure, note)
    finally:
        form.close()


def fields_of(pid):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        return dict(line.rstrip('\n').split(':', 1) for line in file if ':' in line)


def resident_kib(pid):
    return int(fields_of(pid)['VmRSS'].split()[0])


def proportional_kib(pid):
    with open(f'/proc/{pid}/smaps_rollup', encoding='utf-8') as file:
        return int(re.search(r'^Pss:\s+(\d+)', file.read(), re.MULTILINE).group(1))


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def processes_named(name):
    """Those whose executable has that name."""
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            if os.path.basename(os.readlink(f'/proc/{entry}/exe')) == name:
                found.append(int(entry))
        except OSError:
            continue
    return found


def free_kib():
    with open('/proc/meminfo', encoding='utf-8') as file:
        return int(re.search(r'^MemAvailable:\s+(\d+)', file.read(), re.MULTILINE).group(1))


def standing(form, title):
    """Memory and CPU of each program as it stands, over some seconds."""
    pids = {name: form.cluster.pid(name) for name in form.cluster.names()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(CPU_SECONDS)
    print(f'{title}:')
    hosts = form.cluster.hosts()
    for name in form.own()[:2] + ['nats']:
        used = (cpu_seconds(pids[name]) - before[name]) / CPU_SECONDS
        row(name, f'{resident_kib(pids[name]) / 1024:.1f} MiB', f'{used * 100:.1f} % of a CPU')
    memory = [resident_kib(pids[name]) / 1024 for name in hosts]
    used = sum(cpu_seconds(pids[name]) - before[name] for name in hosts) / CPU_SECONDS
    row('host agent, median of all', f'{sorted(memory)[len(memory) // 2]:.1f} MiB',
        f'most {max(memory):.1f} MiB; {used / len(hosts) * 100:.2f} % of a CPU each, '
        f'{used * 100:.1f} % all')
    agents = processes_named('runtime_agent_ext')
    if agents:
        some = agents[:: max(1, len(agents) // 50)]
        row(f'runtime agent, mean of {len(some)} of {len(agents)}',
            f'{sum(map(resident_kib, some)) / len(some) / 1024:.1f} MiB',
            f'its own share {sum(map(proportional_kib, some)) / len(some) / 1024:.1f} MiB')


def add_sleeps(form, wanted):
    """Submits until so many run, or memory ends, or no more start; how many run."""
    running, submitted, stuck = 0, 0, 0
    while running < wanted and stuck < 60 and free_kib() > LEAST_FREE_KIB:
        while submitted < min(wanted, running + 200):
            form.submit('sleeper')
            submitted += 1
        time.sleep(0.5)
        before, running = running, form.count('?state=running')
        stuck = stuck + 1 if running == before else 0
    return running


def scale(hosts, runs):
    class Many(cluster_form.ClusterForm):
        host_count = hosts

    room = ('instances_max=10000', 'memory_mb=1000000', 'runs_max=20000')
    form = Many([word for setting in room for word in ('--set', 'host_agent.' + setting)]
                + ['--set', 'gateway.limits.global_max=100000'])
    try:
        begin = time.monotonic()
        form.start(timeout=120)
        row(f'{hosts} hosts up and known', f'{time.monotonic() - begin:.1f} s')
        standing(form, f'{hosts} idle hosts')
        form.put_function('sleeper', command=['sleep', '3000'], timeout='1h', max_running=100_000,
                          memory_mb=4, cpu_millis=1)
        begin = time.monotonic()
        running = add_sleeps(form, runs)
        took = time.monotonic() - begin
        row('sleeps running', str(running), f'{running / took:.0f} started a second')
        standing(form, f'{hosts} hosts, {running} running sleeps')
    finally:
        form.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('news', 'scale'))
    parser.add_argument('--hosts', type=int, default=64)
    parser.add_argument('--runs', type=int, help='default: news 300, scale 10000')
    arguments = parser.parse_args()
    print(f'longhaul bench cluster {arguments.what}, {os.cpu_count()} CPUs, p50 unless said so')
    if arguments.what == 'news':
        news(arguments.runs or 300)
    else:
        scale(arguments.hosts, arguments.runs or 10_000)
    return 0


if __name__ == '__main__':
    sys.exit(main())
