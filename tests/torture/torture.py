"""Tortures the real programs under load and judges what callers were told; `./dev torture`.

    ./dev torture [--minutes N] [--seed S] [--hosts N] [--keep]

Prints figures and every broken promise; exit 1 if there is one. A seed repeats the sequence of
faults and of requests, not their timing. What a failed run leaves (history, evidence, logs) is
kept, and named.
"""

import argparse
import json
import os
import shutil
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'torture'))

import callers  # noqa: E402
import checker  # noqa: E402
import cluster_form  # noqa: E402
import faults  # noqa: E402
import functions  # noqa: E402
import history  # noqa: E402
import procs  # noqa: E402

GRACE_SECONDS = 30
SETTINGS = (
    '--set', f'gateway.limits.global_max={functions.GLOBAL_MAX}',
    '--set', 'gateway.hosts.suspect_after=2s',
    '--set', 'gateway.hosts.call_limit=3s',
    '--set', 'host_agent.announce_interval=500ms',
    '--set', 'host_agent.report_backoff_max=500ms',
)


def form_of(hosts):
    class Form(cluster_form.ClusterForm):
        host_count = hosts
    return Form


class Bed:
    """A cluster with its history, and what is asked of it at the end."""

    def __init__(self, dev, terms):
        self.dev, self.terms = dev, terms
        self.recorder = history.Recorder(os.path.join(dev.base, 'history.ndjson'))
        self.evidence = history.Evidence(functions.evidence_file(dev))
        self.knowledge = callers.Knowledge()
        self.asking = callers.Asking(dev, self.recorder, self.evidence, self.knowledge)

    def ids(self):
        """All that were told, chosen, or ran."""
        chosen = {s.id for s in self.knowledge.unsure if s.id}
        return self.knowledge.ids | chosen | {e['id'] for e in self.evidence.all()}

    def wait_until_all_ended(self, limit):
        """Asks for what is under way until nothing is, or the time is over."""
        until = history.now() + limit
        while self.count_live() and history.now() < until:
            for invocation in list(self.knowledge.live):
                self.asking.look(invocation)
            time.sleep(0.2)

    def count_live(self):
        _, status, document = self.asking.ask('GET', '/v1/invocations:count?state=live')
        return document['count'] if status == 200 else -1

    def record_final(self):
        for invocation in sorted(self.ids()):
            _, status, document = self.asking.ask('GET', f'/v1/invocations/{invocation}')
            result = None
            if status == 200 and document['state'] == 'succeeded':
                answer = self.dev.request('GET', f'/v1/invocations/{invocation}/result')
                result = answer.body.decode('utf-8', 'replace').strip()
            self.recorder.record('final', id=invocation, status=status, document=document
                                 if status == 200 else None, result=result)

    def record_left(self, limit=20):
        """Processes of runs that are over; those of idle runtimes have no invocation."""
        until = history.now() + limit
        while True:
            marked = procs.marked(self.dev.mark)
            left = {pid: words for pid, words in marked.items() if pid in procs.marked(
                'LONGHAUL_INVOCATION_ID=')}
            if not left or history.now() > until:
                break
            time.sleep(0.2)
        if left:
            self.recorder.record('left', processes=left)

    def judge(self):
        """(findings, figures); the history is closed."""
        self.recorder.close()
        return checker.judge(history.read_history(self.recorder.path), self.evidence.all(),
                             self.terms)


def torture(dev, seconds, seed, deadline=60, caller_count=6, most_faults=None):
    """(findings, figures) of a cluster that is not yet started."""
    dev.start()
    functions.register(dev)
    bed = Bed(dev, functions.terms(GRACE_SECONDS))
    traffic = callers.Traffic(functions.LIMITS, deadline)
    torturer = faults.Torturer(dev.cluster, bed.recorder, seed, most_faults)
    active = callers.begin(bed.asking, traffic, caller_count, seed)
    torturer.start()
    torturer.join(seconds)
    torturer.stopped.set()
    torturer.join()
    torturer.heal()
    callers.end(active)
    bed.wait_until_all_ended(deadline + GRACE_SECONDS)
    bed.record_final()
    bed.record_left()
    return bed.judge()


def report(findings, figures, out=sys.stdout):
    for name, figure in figures.items():
        text = f'{figure:.1f} s' if isinstance(figure, float) else json.dumps(figure)
        print(f'  {name.replace("_", " "):<22} {text.strip("{}")}', file=out)
    by_rule = {}
    for rule, name, text in findings:
        by_rule.setdefault(rule, []).append(f'{name}: {text}')
    for rule, texts in by_rule.items():
        print(f'BROKEN: {rule.replace("_", " ")} ({len(texts)})', file=out)
        for text in texts[:10]:
            print(f'    {text}', file=out)
    if not findings:
        print('  every promise was kept', file=out)


def close(dev, keep):
    """Ends all; what is to be looked at stays."""
    kept = dev.base + '-kept'
    if keep:
        os.makedirs(kept)
        for name in ('history.ndjson', 'shared/evidence', 'data/logs'):
            source = os.path.join(dev.base, name)
            if os.path.isdir(source):
                shutil.copytree(source, os.path.join(kept, os.path.basename(name)))
            elif os.path.exists(source):
                shutil.copy(source, kept)
        print(f'kept: {kept}')
    dev.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=10)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--hosts', type=int, default=3)
    parser.add_argument('--keep', action='store_true', help='keep history and logs in any case')
    arguments = parser.parse_args()
    print(f'torture: {arguments.minutes:g} minutes, {arguments.hosts} hosts, '
          f'seed {arguments.seed}', flush=True)
    dev = form_of(arguments.hosts)(SETTINGS)
    findings = ['stopped']
    try:
        findings, figures = torture(dev, arguments.minutes * 60, arguments.seed)
        report(findings, figures)
    finally:
        close(dev, arguments.keep or bool(findings))
    return 1 if findings else 0


if __name__ == '__main__':
    threading.stack_size(1 << 20)
    sys.exit(main())
