"""Judges what happened: the history of what callers were told against what functions did.

Pure: judge() takes values and gives values. Each rule below is one sentence of the promise and
yields (invocation or other name, what is wrong). tests/integration/test_torture_checker.py plants
one bad history per rule.

Kinds in a history, beside the time `at` (and `sent`, where it was asked for):
  submit    function, token, manner, seconds, timeout, id (chosen by the caller) or null,
            key or null, status (0: no answer), told (the id in the answer) or null
  stop      id, verb, status
  document  id, document: as it came with any answer;  missing: id, status: there was none
  final     id, status, document or null, result or null: once all was healed
  fault     manner, victim, and instance where the victim is a runtime agent
  crash     victim: a program that nobody had ended;  problem: text
  alive     id, processes: found after it was said that they are gone
  left      processes: found after everything had ended
  slots     function or null for all, running: as the gateway itself said
  healed    wall
"""

import collections
import datetime

ENDED = ('succeeded', 'failed', 'timed_out', 'cancelled', 'killed', 'expired')
NO_VERDICT = (0, 429, 502, 503, 504)  # nobody there, or not now: nothing was promised
UPTIME_STEP = 0.01                    # /proc/uptime counts hundredths, rounded down
CLOCK_SLACK = 0.1                     # between clocks of several programs


def seconds(text):
    """A time of a document, in seconds since 1970."""
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()


def etag(document):
    return document['revision'], document['status_version']


class Case:
    """All that is known about one invocation."""

    def __init__(self, invocation):
        self.id = invocation
        self.acknowledged = None  # when the first 2xx came
        self.plan = None          # the submit
        self.orders = []          # stops that were sent
        self.documents = []       # (sent, at, document)
        self.missing = []
        self.final = None
        self.starts = []
        self.ends = []

    @property
    def document(self):
        return self.final['document'] if self.final else None

    @property
    def ended(self):
        return self.document is not None and self.document['state'] in ENDED

    @property
    def function(self):
        return self.plan['function'] if self.plan else None


class World:
    """A history and its evidence, sorted by invocation."""

    def __init__(self, history, evidence, terms):
        self.terms = terms
        self.history = history
        self.evidence = evidence
        self.of = collections.defaultdict(list)
        for entry in history:
            self.of[entry['kind']].append(entry)
        self.healed = max((e['wall'] for e in self.of['healed']), default=0)
        self.ended_agents = {e['instance'] for e in self.of['fault'] if e.get('instance')}
        self.by_id = {}
        self._sort()

    @property
    def cases(self):
        return self.by_id.values()

    def case(self, invocation):
        if invocation not in self.by_id:
            self.by_id[invocation] = Case(invocation)
        return self.by_id[invocation]

    def _sort(self):
        for entry in self.of['submit']:
            invocation = entry['told'] or entry['id']
            if invocation is None:
                continue
            case = self.case(invocation)
            case.plan = case.plan or entry
            if entry['status'] in (200, 202):
                case.acknowledged = min(case.acknowledged or entry['at'], entry['at'])
        for entry in self.of['stop']:
            self.case(entry['id']).orders.append(entry)
        for entry in self.of['document']:
            self.case(entry['id']).documents.append(
                (entry['sent'], entry['at'], entry['document']))
        for entry in self.of['missing']:
            self.case(entry['id']).missing.append(entry)
        for entry in self.of['final']:
            self.case(entry['id']).final = entry
        for entry in self.evidence:
            case = self.case(entry['id'])
            (case.starts if entry['what'] == 'start' else case.ends).append(entry)
        self._plan_by_token()

    def _plan_by_token(self):
        """An invocation whose submit was never answered is known by what its function read."""
        plans = {e['token']: e for e in self.of['submit']}
        for case in self.cases:
            if case.plan is None and case.starts:
                case.plan = plans.get(case.starts[0]['token'])


# ------------------------------------------------------------------------------------- the rules

def nothing_is_lost(world):
    for case in world.cases:
        if case.acknowledged is None:
            continue
        if case.final is None:
            yield case.id, 'nobody asked for its end'
        elif case.final['status'] != 200:
            yield case.id, f'was acknowledged, and is now answered with {case.final["status"]}'
        for entry in case.missing:
            if entry['sent'] >= case.acknowledged and entry['status'] not in NO_VERDICT:
                yield case.id, f'was acknowledged, and was answered with {entry["status"]}'


def everything_ends(world):
    for case in world.cases:
        if case.document is not None and not case.ended:
            yield case.id, f'has not ended: {case.document["state"]}'
        elif case.ended:
            due = max(seconds(case.document['deadline']), world.healed)
            late = seconds(case.document['ended_at']) - due - world.terms['grace']
            if late > 0:
                yield case.id, f'ended {late:.1f} s after its deadline and grace'


def an_attempt_starts_once(world):
    for case in world.cases:
        for attempt, count in collections.Counter(s['attempt'] for s in case.starts).items():
            if count > 1:
                yield case.id, f'attempt {attempt} was started {count} times'


def a_second_attempt_has_a_reason(world):
    for case in world.cases:
        numbers = sorted({s['attempt'] for s in case.starts})
        if len(numbers) > world.terms['tries'].get(case.function, 1):
            yield case.id, f'attempts {numbers} were started: more than its tries'
        outcomes = {a['number']: a['outcome'] for a in (case.document or {}).get('attempts', ())}
        for number, later in zip(numbers, numbers[1:]):
            if outcomes.get(number) not in ('failed', 'timed_out', 'lost'):
                yield case.id, f'attempt {later} although {number} is {outcomes.get(number)}'
            begun = min(s['at'] for s in case.starts if s['attempt'] == later)
            if any(e['at'] > begun + UPTIME_STEP for e in case.ends if e['attempt'] == number):
                yield case.id, f'attempt {later} was started while {number} ran'


def what_ran_is_told(world):
    """A start that the document does not know, or calls certainly not started."""
    for case in world.cases:
        if case.document is None:
            if case.starts and case.final is not None and case.final['status'] == 404:
                yield case.id, 'was started, and nobody knows it'
            continue
        outcomes = {a['number']: a['outcome'] for a in case.document['attempts']}
        for start in case.starts:
            if start['attempt'] not in outcomes:
                yield case.id, f'attempt {start["attempt"]} was started, and is not told'
            elif outcomes[start['attempt']] == 'route_error':
                yield case.id, f'attempt {start["attempt"]} was started, and is told as not'


def _signature(document):
    return (document['state'], document['ended_at'], (document['error'] or {}).get('reason'),
            str(document['result']), [(a['number'], a['outcome']) for a in document['attempts']])


def an_end_never_changes(world):
    for case in world.cases:
        told = sorted(case.documents, key=lambda d: d[1])
        ends = [(at, d) for _, at, d in told if d['state'] in ENDED]
        if case.ended:
            ends.append((float('inf'), case.document))
        if not ends:
            continue
        first_at, first = ends[0]
        for _, document in ends[1:]:
            if _signature(document) != _signature(first):
                yield case.id, f'ended as {_signature(first)}, later as {_signature(document)}'
        for sent, _, document in told:
            if sent >= first_at and document['state'] not in ENDED:
                yield case.id, f'is {document["state"]} after its end {first["state"]}'


def a_status_never_goes_back(world):
    for case in world.cases:
        by_answer = sorted(case.documents, key=lambda d: d[1])
        if case.document is not None:
            by_answer.append((float('inf'), float('inf'), case.document))
        known, seen = (0, 0), 0
        for sent, _, document in sorted(by_answer, key=lambda d: d[0]):
            while seen < len(by_answer) and by_answer[seen][1] <= sent \
                    and by_answer[seen][2] is not document:
                known = max(known, etag(by_answer[seen][2]))
                seen += 1
            if etag(document) < known:
                yield case.id, f'was at {known}, and then told as {etag(document)}'


def most_at_once(spans):
    """Of (start, end); what ends at a moment makes room for what starts then."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    running = most = 0
    for _, step in edges:
        running += step
        most = max(most, running)
    return most


def _limits(world):
    return [*world.terms['limits'].items(), (None, world.terms['global_max'])]


def _evidence_spans(world, function):
    """Times in which a run surely ran; one without an end of its own counts for nothing."""
    for case in world.cases:
        ends = {e['attempt']: e['at'] for e in case.ends}
        for start in case.starts:
            if function in (None, start['function']) and start['attempt'] in ends:
                begun = start['at'] + UPTIME_STEP
                if ends[start['attempt']] > begun:
                    yield begun, ends[start['attempt']]


def _document_spans(world, function):
    for case in world.cases:
        if not case.ended or function not in (None, case.document['function']):
            continue
        for attempt in case.document['attempts']:
            if attempt['ended_at'] and attempt['outcome'] != 'route_error':
                begun = seconds(attempt['dispatched_at']) + CLOCK_SLACK / 2
                ended = seconds(attempt['ended_at']) - CLOCK_SLACK / 2
                if ended > begun:
                    yield begun, ended


def slots_stay_within_limits(world):
    for function, most in _limits(world):
        name = function or 'all functions'
        for source, spans in (('functions', _evidence_spans), ('documents', _document_spans)):
            found = most_at_once(list(spans(world, function)))
            if found > most:
                yield name, f'{found} at once by its {source}, limit {most}'
        said = max((e['running'] for e in world.of['slots'] if e['function'] == function),
                   default=0)
        if said > most:
            yield name, f'the gateway itself said {said} at once, limit {most}'


def a_key_is_one_invocation(world):
    ids, tokens = collections.defaultdict(set), collections.defaultdict(set)
    for entry in world.of['submit']:
        if entry['status'] not in (200, 202):
            continue
        if entry['id'] is not None and entry['told'] != entry['id']:
            yield entry['id'], f'was submitted, and answered as {entry["told"]}'
        if entry['key'] is not None:
            ids[entry['function'], entry['key']].add(entry['told'])
    for start in world.evidence:
        tokens[start['token']].add(start['id'])
    for (_, key), told in ids.items():
        if len(told) > 1:
            yield key, f'one key, answered as {sorted(told)}'
    for token, started in tokens.items():
        if len(started) > 1:
            yield token, f'one event, run as {sorted(started)}'


def a_confirmed_stop_left_nothing(world):
    for entry in world.of['alive']:
        yield entry['id'], f'its stop is confirmed, and there is {entry["processes"]}'
    for entry in world.of['left']:
        yield 'at the end', f'still there: {entry["processes"]}'


def an_accepted_stop_is_remembered(world):
    for case in world.cases:
        accepted = [o['at'] for o in case.orders if o['status'] in (200, 202)]
        if not accepted:
            continue
        told = [(sent, d) for sent, _, d in case.documents if sent >= min(accepted)]
        told += [(0, case.document)] if case.document else []
        if any(not d['cancel_requested'] for _, d in told):
            yield case.id, 'its stop was accepted, and is not known any more'


def _why_failed(world, case):
    error, last = case.document['error'], case.document['attempts'][-1:]
    reason = error['reason']
    if reason in ('exit', 'error') and case.plan['manner'] == 'fail':
        return None
    if reason == 'lost':
        if not error['evidence']:
            return 'is lost without evidence'
        if last and last[0]['instance'] in world.ended_agents:
            return None
        return f'is lost, but nothing was done to its instance: {error["evidence"]}'
    return f'failed for {reason}: {error["message"]}'


def _why_ended(world, case):
    """What is wrong with how it ended; None if it ended as it had to, or as it may have."""
    document, plan = case.document, case.plan
    state, reason = document['state'], (document['error'] or {}).get('reason')
    past_deadline = seconds(document['ended_at']) >= seconds(document['deadline']) - CLOCK_SLACK
    if state == 'succeeded':
        if plan['manner'] != 'ok':
            return f'succeeded, although it was to be {plan["manner"]}'
        if case.final.get('result') != f'done {plan["token"]}':
            return f'has another result: {case.final.get("result")!r}'
        if not case.starts or not case.ends:
            return 'succeeded, but its function never began or never ended'
    elif state == 'failed':
        return _why_failed(world, case)
    elif state in ('cancelled', 'killed') and not case.orders:
        return f'is {state}, and nobody asked for that'
    elif state == 'expired' and (case.starts or not past_deadline):
        return 'expired before its deadline, or had begun'
    elif state == 'timed_out' and reason == 'deadline' and not past_deadline:
        return 'was ended before its deadline'
    elif state == 'timed_out' and reason != 'deadline':
        # `started_at` is told as so long ago, and late by as much as the telling was held up.
        ran = seconds(document['ended_at']) - seconds(document['attempts'][-1]['dispatched_at'])
        if plan['timeout'] is None or ran < plan['timeout'] - CLOCK_SLACK:
            return f'timed out after {ran:.2f} s of {plan["timeout"]} s'
    return None


def an_end_has_its_cause(world):
    for case in world.cases:
        if case.ended and case.plan is not None:
            why = _why_ended(world, case)
            if why is not None:
                yield case.id, why


def answers_are_those_of_the_protocol(world):
    for entry in world.of['submit']:
        if entry['status'] not in (200, 202, *NO_VERDICT):
            yield entry['token'], f'submit was answered with {entry["status"]}'
    for entry in world.of['stop']:
        if entry['status'] not in (200, 202, 404, 409, *NO_VERDICT):
            yield entry['id'], f'{entry["verb"]} was answered with {entry["status"]}'
    for entry in world.of['missing']:
        if entry['status'] not in (404, *NO_VERDICT):
            yield entry['id'], f'get was answered with {entry["status"]}'


def programs_stay_up(world):
    for entry in world.of['crash']:
        yield entry['victim'], f'ended by itself: {entry.get("text", "")}'
    for entry in world.of['problem']:
        yield 'the test', entry['text']


RULES = (nothing_is_lost, everything_ends, an_attempt_starts_once, a_second_attempt_has_a_reason,
         what_ran_is_told, an_end_never_changes, a_status_never_goes_back,
         slots_stay_within_limits, a_key_is_one_invocation, a_confirmed_stop_left_nothing,
         an_accepted_stop_is_remembered, an_end_has_its_cause, answers_are_those_of_the_protocol,
         programs_stay_up)


# --------------------------------------------------------------------------------- the judgement

def _longest_silence(world):
    """The longest time in which no request sent was answered."""
    answered = sorted(e['at'] for kind in ('submit', 'document', 'stop') for e in world.of[kind]
                      if e.get('status', 200) not in NO_VERDICT)
    return max((later - at for at, later in zip(answered, answered[1:])), default=0.0)


def figures(world):
    faults = collections.Counter(f'{e["manner"]} {e["victim"]}' for e in world.of['fault'])
    ended = [c for c in world.cases if c.ended]
    past = [seconds(c.document['ended_at']) - seconds(c.document['deadline']) for c in ended]
    return {
        'kills': sum(e['manner'] == 'kill' for e in world.of['fault']),
        'faults': dict(sorted(faults.items())),
        'invocations': sum(c.acknowledged is not None for c in world.cases),
        'submits': len(world.of['submit']),
        'stops': len(world.of['stop']),
        'documents': len(world.of['document']),
        'starts': sum(len(c.starts) for c in world.cases),
        'ends': dict(sorted(collections.Counter(c.document['state'] for c in ended).items())),
        'lost': sum((c.document['error'] or {}).get('reason') == 'lost' for c in ended),
        'worst_past_deadline': max(past, default=0.0),
        'longest_silence': _longest_silence(world),
    }


def judge(history, evidence, terms):
    """([(rule, name, what is wrong)], figures).

    terms: `limits` {function: most at once}, `global_max`, `tries` {function: most attempts that
    start}, and `grace`, the seconds that an end may come after its deadline or the healing.
    """
    world = World(history, evidence, terms)
    findings = [(rule.__name__, name, text) for rule in RULES for name, text in rule(world)]
    return findings, figures(world)
