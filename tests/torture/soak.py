"""Long runs through restarts of everything, judged as a torture is; `./dev soak`.

    ./dev soak [--minutes N] [--every MINUTES] [--seed S] [--hosts N] [--keep]

Every five minutes each program is killed and started again, one after the other, while runs of up
to half of the whole time go on. Prints what each program's resident memory and descriptors did per
hour (least squares over samples, without the first minutes); exit 1 if a promise was broken, or if
one of them grew by more than its bound below and by more than noise.
"""

import argparse
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'integration')]

import callers  # noqa: E402
import faults  # noqa: E402
import functions  # noqa: E402
import history  # noqa: E402
import torture  # noqa: E402

SAMPLE_SECONDS = 5
WARM_SECONDS = 120      # caches fill, pools grow
MEMORY_BOUND = 32.0     # MiB an hour, of one program
DESCRIPTORS_BOUND = 20  # an hour
MANNERS = (('ok', 90), ('fail', 4), ('long', 4), ('timeout', 2))


def resident_mib(pid):
    with open(f'/proc/{pid}/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / (1 << 20)


def slope(points):
    """Of a least-squares line through (x, y); 0 for fewer than three points."""
    if len(points) < 3:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


class Samples(threading.Thread):
    """Looks at each program every few seconds. Time runs on over restarts."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.memory, self.descriptors = {}, {}
        self.stopped = threading.Event()

    def run(self):
        begun = history.now()
        while not self.stopped.wait(SAMPLE_SECONDS):
            hours = (history.now() - begun) / 3600
            for name in self.cluster.names():
                pid = self.cluster.pid(name)
                try:
                    memory = resident_mib(pid)
                    descriptors = len(os.listdir(f'/proc/{pid}/fd'))
                except (OSError, TypeError, IndexError):
                    continue  # it is being restarted
                self.memory.setdefault(name, []).append((hours, memory))
                self.descriptors.setdefault(name, []).append((hours, descriptors))

    def findings(self):
        """Prints a line per program; what grew too much, as the checker says it."""
        found = []
        for name in self.cluster.names():
            for what, points, bound, unit in (
                    ('memory', self.memory.get(name, []), MEMORY_BOUND, 'MiB'),
                    ('descriptors', self.descriptors.get(name, []), DESCRIPTORS_BOUND, '')):
                late = [p for p in points if p[0] * 3600 >= WARM_SECONDS] or points
                growth = slope(late)
                last = late[-1][1] if late else 0
                print(f'  {name:<16} {what:<12} {last:8.1f} {unit:<3} '
                      f'{growth:+9.2f} {unit} an hour over {len(late)} samples')
                # Over a short time the line's slope says nothing about hours.
                grown = growth * (late[-1][0] - late[0][0]) if late else 0
                if growth > bound and grown > bound / 4:
                    found.append(('nothing_grows', name, f'{what} grows by {growth:.1f} an hour'))
        return found


def restart_all(dev, recorder, chance):
    """One after the other, killed or asked, in any order."""
    names = list(dev.cluster.names())
    chance.shuffle(names)
    for name in names:
        manner = chance.choice(('kill', 'term'))
        recorder.record('fault', manner=manner, victim=name)
        if manner == 'kill':
            dev.cluster.kill_9(name)
        else:
            dev.cluster.stop_one(name)
        dev.cluster.start_one(name, faults.READY_SECONDS)


def soak(dev, seconds, every, seed):
    dev.start()
    functions.register(dev, timeout=f'{int(seconds) + 600}s')
    deadline = seconds + 300
    bed = torture.Bed(dev, functions.terms(torture.GRACE_SECONDS))
    longest = seconds / 2
    spans = (0, 0.2, 1, 5, 30, longest / 8, longest / 4, longest)
    traffic = callers.Traffic(functions.LIMITS, deadline, live_max=40, seconds=spans,
                              manners=MANNERS, pause=0.5)
    chance = random.Random(seed)
    samples = Samples(dev.cluster)
    active = callers.begin(bed.asking, traffic, 3, seed)
    samples.start()
    over = history.now() + seconds
    while history.now() + every < over:
        time.sleep(every)
        restart_all(dev, bed.recorder, chance)
        print(f'  {int(over - history.now())} s left, {len(bed.knowledge.ended)} ended, '
              f'{len(bed.knowledge.live)} under way', flush=True)
    time.sleep(max(0.0, over - history.now()))
    samples.stopped.set()
    samples.join()
    callers.end(active)
    bed.recorder.record('healed', wall=time.time())
    # What was queued behind long runs is of no interest any more.
    for invocation in list(bed.knowledge.live):
        bed.asking.stop(invocation, 'kill')
    bed.wait_until_all_ended(torture.GRACE_SECONDS)
    bed.record_final()
    bed.record_left()
    findings, figures = bed.judge()
    return findings + samples.findings(), figures


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--every', type=float, default=5, metavar='MINUTES')
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--hosts', type=int, default=2)
    parser.add_argument('--keep', action='store_true', help='keep history and logs in any case')
    arguments = parser.parse_args()
    print(f'soak: {arguments.minutes:g} minutes, everything restarted every {arguments.every:g}, '
          f'seed {arguments.seed}', flush=True)
    dev = torture.form_of(arguments.hosts)(torture.SETTINGS)
    findings = ['stopped']
    try:
        findings, figures = soak(dev, arguments.minutes * 60, arguments.every * 60,
                                 arguments.seed)
        torture.report(findings, figures)
    finally:
        torture.close(dev, arguments.keep or bool(findings))
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
