"""The judge of a torture: a good history passes, and each broken promise is found by its rule."""

import copy
import os
import sys

import harness
from harness import equal

sys.path.insert(0, os.path.join(harness.ROOT, 'tests', 'torture'))
import checker  # noqa: E402

FORMS = ('dev',)
TERMS = {'limits': {'work': 1}, 'global_max': 2, 'tries': {'work': 1}, 'grace': 10}


def clock(second):
    return f'2026-01-01T00:00:{second:06.3f}Z'


def document(**members):
    return {'id': 'a', 'function': 'work', 'state': 'succeeded', 'revision': 3,
            'status_version': 0, 'cancel_requested': False, 'stop': None,
            'created_at': clock(0), 'started_at': clock(1), 'ended_at': clock(2),
            'deadline': clock(50), 'result': {'size': 5}, 'error': None,
            'attempts': [{'number': 1, 'instance': 'i', 'outcome': 'succeeded',
                          'dispatched_at': clock(1), 'ended_at': clock(2)}], **members}


def note(what, at, **members):
    return {'what': what, 'id': 'a', 'attempt': 1, 'pid': 9, 'ticks': 1, 'at': at,
            'function': 'work', 'token': 't', **members}


class Good:
    """One invocation that was submitted, ran once and succeeded."""

    def __init__(self):
        running = document(state='running', revision=2, ended_at=None, result=None,
                           attempts=[{'number': 1, 'instance': 'i', 'outcome': None,
                                      'dispatched_at': clock(1), 'ended_at': None}])
        self.history = [
            {'kind': 'submit', 'sent': 1, 'at': 1.1, 'function': 'work', 'token': 't',
             'manner': 'ok', 'timeout': None, 'id': 'a', 'key': None, 'status': 202, 'told': 'a'},
            {'kind': 'document', 'sent': 1.2, 'at': 1.3, 'id': 'a', 'document': running},
            {'kind': 'document', 'sent': 3, 'at': 3.1, 'id': 'a', 'document': document()},
            {'kind': 'slots', 'at': 2, 'function': 'work', 'running': 1},
            {'kind': 'healed', 'at': 4, 'wall': 0},
            {'kind': 'final', 'at': 5, 'id': 'a', 'status': 200, 'document': document(),
             'result': 'done t'}]
        self.evidence = [note('start', 1.15), note('end', 1.9)]

    def entry(self, kind, which=0):
        return [e for e in self.history if e['kind'] == kind][which]

    def final(self, **members):
        self.entry('final')['document'].update(members)

    def add(self, kind, **members):
        self.history.append({'kind': kind, 'sent': 3.2, 'at': 3.3, **members})


def broken_rules(world):
    findings, _ = checker.judge(world.history, world.evidence, TERMS)
    return {rule for rule, _, _ in findings}


def lost(w):
    w.entry('final').update(status=404, document=None)


def forgotten_at_the_end(w):
    w.history = [e for e in w.history if e['kind'] != 'final']


def missing_once(w):
    w.add('missing', id='a', status=404)


def never_ended(w):
    for entry in w.history:
        if 'document' in entry:
            entry['document'] = document(state='running', ended_at=None, result=None)


def ended_late(w):
    w.final(deadline=clock(2), ended_at=clock(30))


def started_twice(w):
    w.evidence.append(note('start', 1.5, pid=10))


def second_attempt(w):
    w.evidence.append(note('start', 1.95, attempt=2, pid=10))


def untold_attempt(w):
    w.final(attempts=[])


def route_error_that_ran(w):
    w.entry('final')['document']['attempts'][0]['outcome'] = 'route_error'


def changed_end(w):
    w.final(state='failed', error={'reason': 'exit', 'message': '', 'evidence': ''})


def alive_after_its_end(w):
    w.add('document', id='a', document=document(state='running', revision=4))


def went_back(w):
    w.add('document', id='a', document=document(revision=2))


def too_many_by_evidence(w):
    w.evidence += [note('start', 1.2, id='b', token='u'), note('end', 1.8, id='b', token='u')]


def too_many_by_documents(w):
    other = copy.deepcopy(w.entry('final'))
    other.update(id='b')
    other['document']['id'] = 'b'
    w.history.append(other)


def too_many_by_its_own_words(w):
    w.entry('slots')['running'] = 2


def another_id(w):
    w.entry('submit')['told'] = 'b'


def one_key_two_ids(w):
    for told in ('a', 'b'):
        w.history.append({**w.entry('submit'), 'id': None, 'key': 'k', 'told': told})


def one_event_run_twice(w):
    w.evidence += [note('start', 5, id='b'), note('end', 6, id='b')]


def left_alive(w):
    w.add('alive', id='a', processes={'9': 'sh'})


def left_at_the_end(w):
    w.add('left', processes={'9': 'sh'})


def forgotten_stop(w):
    w.add('stop', id='a', verb='cancel', status=202)


def wrong_result(w):
    w.entry('final')['result'] = 'done u'


def killed_by_nobody(w):
    for entry in w.history:
        if entry.get('document', {}) and entry['document']['state'] == 'succeeded':
            entry['document']['state'] = 'killed'


def lost_for_nothing(w):
    for entry in w.history:
        if entry.get('document', {}) and entry['document']['state'] == 'succeeded':
            entry['document'].update(state='failed', error={'reason': 'lost', 'message': 'm',
                                                            'evidence': 'e'})


def odd_answer(w):
    w.history.append({**w.entry('submit'), 'status': 500, 'told': None, 'token': 'u', 'id': None})


def crashed(w):
    w.add('crash', victim='gateway')


PLANTED = {
    lost: 'nothing_is_lost', forgotten_at_the_end: 'nothing_is_lost',
    missing_once: 'nothing_is_lost', never_ended: 'everything_ends', ended_late: 'everything_ends',
    started_twice: 'an_attempt_starts_once', second_attempt: 'a_second_attempt_has_a_reason',
    untold_attempt: 'what_ran_is_told', route_error_that_ran: 'what_ran_is_told',
    changed_end: 'an_end_never_changes', alive_after_its_end: 'an_end_never_changes',
    went_back: 'a_status_never_goes_back', too_many_by_evidence: 'slots_stay_within_limits',
    too_many_by_documents: 'slots_stay_within_limits',
    too_many_by_its_own_words: 'slots_stay_within_limits', another_id: 'a_key_is_one_invocation',
    one_key_two_ids: 'a_key_is_one_invocation', one_event_run_twice: 'a_key_is_one_invocation',
    left_alive: 'a_confirmed_stop_left_nothing', left_at_the_end: 'a_confirmed_stop_left_nothing',
    forgotten_stop: 'an_accepted_stop_is_remembered', wrong_result: 'an_end_has_its_cause',
    killed_by_nobody: 'an_end_has_its_cause', lost_for_nothing: 'an_end_has_its_cause',
    odd_answer: 'answers_are_those_of_the_protocol', crashed: 'programs_stay_up',
}


def test_a_good_history_passes():
    world = Good()
    findings, figures = checker.judge(world.history, world.evidence, TERMS)
    equal(findings, [], 'findings')
    equal((figures['invocations'], figures['starts'], figures['ends']),
          (1, 1, {'succeeded': 1}), 'figures')


def test_each_broken_promise_is_found_by_its_rule():
    for plant, rule in PLANTED.items():
        world = Good()
        plant(world)
        found = broken_rules(world)
        assert rule in found, f'{plant.__name__}: expected {rule}, found {found}'
    equal({rule.__name__ for rule in checker.RULES}, set(PLANTED.values()), 'rules with a test')
