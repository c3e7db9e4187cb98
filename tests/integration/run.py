#!/usr/bin/env python3
"""Runs the integration tests: every test_*() of every test_*.py beside this file.

  run.py [FILTER]         those whose "module/test" contains FILTER
  run.py --list [FILTER]  only names them
  --label TEXT            how lines begin (default: integration)

A test that takes `dev` shares one running `longhaul dev` with its module; one that takes `fresh`
has a Dev of its own, not yet started. The modules of SCENARIOS are run once more, against the
programs of a cluster over nats-server: `[cluster]` in the name. A module that says FORMS is run in
those alone. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import importlib
import inspect
import os
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cluster_form  # noqa: E402
import harness  # noqa: E402

SCENARIOS = ('border', 'cli', 'control', 'examples', 'fairness', 'framing', 'functions', 'limits',
             'logs', 'operations', 'policies', 'read', 'recovery', 'submit')
FORMS = {'dev': harness.Dev, 'cluster': cluster_form.ClusterForm}
LIMIT_SECONDS = 60
SLOWER = 3 if 'asan' in os.environ.get('LONGHAUL_BIN', '') else 1


class TimeUp(BaseException):
    pass


def time_up(*_):
    raise TimeUp()


def forms_of(module):
    scenario = ('dev', 'cluster') if module.__name__[5:] in SCENARIOS else ('dev',)
    return getattr(module, 'FORMS', scenario)


def label_of(module, name, form):
    return f'{module.__name__[5:]}/{name[5:]}' + ('' if form == 'dev' else f' [{form}]')


def discover(wanted):
    """[(module, name, function, form)] in the order of files, forms and lines."""
    found = []
    for file in sorted(os.listdir(HERE)):
        if not (file.startswith('test_') and file.endswith('.py')):
            continue
        module = importlib.import_module(file[:-3])
        tests = [(n, f) for n, f in vars(module).items()
                 if n.startswith('test_') and inspect.isfunction(f)]
        tests.sort(key=lambda t: t[1].__code__.co_firstlineno)
        found += [(module, n, f, form) for form in forms_of(module) for n, f in tests
                  if form in getattr(f, 'forms', FORMS)
                  and wanted in f'integration/{label_of(module, n, form)}']
    return found


def call(test, needs):
    """None, or why it failed; harness.Skip passes through."""
    seconds = getattr(test, 'limit_seconds', LIMIT_SECONDS) * SLOWER
    signal.signal(signal.SIGALRM, time_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        test(**needs)
        return None
    except TimeUp:
        return f'{traceback.format_exc()}\nstopped after the limit of {seconds} s'
    except harness.Skip:
        raise
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Module:
    """The system that a module's tests share in one form; started again if one broke it."""

    def __init__(self):
        self.name = None
        self.dev = None

    def shared(self, module, form):
        name = (module.__name__, form)
        if self.name != name or self.dev is None or not self.dev.alive():
            self.close()
            self.name = name
            self.dev = FORMS[form]()
            self.dev.start()
        return self.dev

    def close(self):
        if self.dev is not None:
            self.dev.close()
        self.dev = None


def run_one(module, test, form, shared):
    """('ok' | 'FAIL' | 'skip', text)."""
    needs, own, dev = {}, None, None
    try:
        if 'fresh' in inspect.signature(test).parameters:
            own = needs['fresh'] = dev = FORMS[form]()
        if 'dev' in inspect.signature(test).parameters:
            needs['dev'] = dev = shared.shared(module, form)
        why = call(test, needs)
        if why is None and 'dev' in needs and not dev.alive():
            why = dev.why_ended() + ' during this test'
        if why is None:
            return 'ok', ''
        tail = f'\n--- end of the log\n{dev.log_tail()}' if dev else ''
        return 'FAIL', why + tail
    except harness.Skip as reason:
        return 'skip', str(reason)
    except Exception:  # pylint: disable=broad-except
        shared.close()
        return 'FAIL', traceback.format_exc()
    finally:
        if own is not None:
            own.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('filter', nargs='?', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--label', default='integration')
    arguments = parser.parse_args()
    tests = discover(arguments.filter)
    if arguments.list:
        for module, name, _, form in tests:
            print('integration/' + label_of(module, name, form))
        return 0
    if not os.access(harness.binary(), os.X_OK):
        print(f'{harness.binary()} is not there; ./dev build makes it')
        print(f'0 passed, {len(tests)} failed, 0 skipped')
        return 1
    counts = {'ok': 0, 'FAIL': 0, 'skip': 0}
    shared = Module()
    try:
        for module, name, test, form in tests:
            start = time.monotonic()
            word, text = run_one(module, test, form, shared)
            counts[word] += 1
            label = f'{arguments.label}/{label_of(module, name, form)}'
            print(f'{word:<4} {label} {time.monotonic() - start:.2f} s'
                  f'{": " + text if word == "skip" else ""}', flush=True)
            if word == 'FAIL':
                print('     ' + text.rstrip().replace('\n', '\n     '), flush=True)
    finally:
        shared.close()
    print(f'{counts["ok"]} passed, {counts["FAIL"]} failed, {counts["skip"]} skipped')
    return 1 if counts['FAIL'] else 0


if __name__ == '__main__':
    sys.exit(main())
