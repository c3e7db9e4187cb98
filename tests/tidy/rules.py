"""The house rules over one file, and those over the whole tree."""

import fnmatch
import os
import re

import layers
import source

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
HEADER_INCLUDES_MAX = 8
COLUMNS_MAX = 100

CXX = ('.hpp', '.cpp')
_COLUMN_LIMIT = ('.hpp', '.cpp', '.py', '.sh', 'dev')

# Names of hosts and folders are put together here so that this file passes its own rule.
_DOT = r'\.'
_FOREIGN = (
    (re.compile(r'(?<![\w./-])/' + r'work/'), 'a path of one development machine'),
    (re.compile(r'(?<![\w./-])/' + r'root/'), 'a path of one development machine'),
    (re.compile('|'.join((
        r'pypi' + _DOT + 'org', r'pythonhosted' + _DOT + 'org', r'npmjs' + _DOT, r'crates' + _DOT +
        'io', r'proxy' + _DOT + 'golang', r'rubygems' + _DOT, r'maven' + _DOT, r'deb' + _DOT +
        'debian', r'wrapdb' + _DOT + 'mesonbuild'))), 'the host of a package registry'),
)

# (rule, pattern on code without comments and literals, where it holds, where not, why)
_ROOTS = ('include/longhaul/net/impl/task_group.cpp', 'include/longhaul/net/impl/deadline.*',
          'include/longhaul/net/impl/notifier.cpp', 'include/longhaul/net/impl/server.cpp',
          'include/longhaul/client/impl/*', 'tests/*', 'bench/*', '*/app.cpp', '*/main.cpp',
          'cli/dev*', 'bin/*')
_CATCH_ALL = ('include/longhaul/net/impl/*', 'include/longhaul/system/impl/*',
              'include/longhaul/nats/impl/*', '*/main.cpp', 'bin/*', 'tests/*')
_PURE = ('*/core/*', 'include/longhaul/lifecycle/*')
BANNED = (
    ('detached', r'\bdetached\b', ('*',), (),
     'no orphans: start it with net::TaskGroup'),
    ('co-spawn', r'\bco_spawn\s*\(', ('*',), _ROOTS,
     'only net::TaskGroup and the roots named in tests/tidy/rules.py start coroutines'),
    ('capture-all', r'\[\s*=\s*[,\]]', ('*',), (), 'name what the lambda captures'),
    ('coroutine-lambda', r'\[[^\[\]]+\]\s*\([^()]*\)\s*(?:mutable\s*)?->\s*[\w:]*awaitable\s*<',
     ('*',), ('tests/*',), 'captures of a coroutine lambda die before it: pass parameters'),
    ('using-namespace', r'\busing\s+namespace\b', ('*.hpp',), (), 'not in headers'),
    ('catch-all', r'\bcatch\s*\(\s*\.\.\.\s*\)', ('*',), _CATCH_ALL,
     'one catch per coroutine root or thread, in the files named in tests/tidy/rules.py'),
    ('catch-and-drop', r'\bcatch\s*\([^)]*\)\s*\{\s*\}', ('*',), ('tests/*',),
     'an exception is not thrown away; where it may be, a comment says why'),
    ('singleton', r'::instance\s*\(\s*\)', ('*',), (), 'main() builds every object'),
    ('mutex', r'\bstd::(?:\w+_)?mutex\b',
     ('*/core/*', '*/driver/*', 'include/longhaul/lifecycle/*'), ('tests/*',),
     'one strand owns the core: no mutex in core or driver'),
    ('purity', r'\b(?:steady_clock|system_clock|high_resolution_clock)::now\b|\bthrow\b|\btry\b'
     r'|\bstd::(?:thread|jthread|random_device|mt19937\w*|atomic\w*|async)\b',
     _PURE, ('tests/*',), 'core and lifecycle are pure: no clock, thread, random or exception'),
    ('fork', r'(?<![\w.>:])v?fork\s*\(', ('*',), ('tests/*',),
     'never fork a large process: use longhaul/process'),
    ('sleep', r'\b(?:sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>:])sleep\s*\(', ('*',),
     ('examples/*', 'bench/*'), 'wait for what happens, not for time'),
    ('parse-in-place', r'\bParseInsitu\b', ('*',), (), 'only the length-bounded Parse(data, size)'),
)
_BANNED = tuple((rule, re.compile(pattern), where, but, why)
                for rule, pattern, where, but, why in BANNED)
_PURE_HEADERS = ('thread', 'mutex', 'shared_mutex', 'condition_variable', 'future', 'random',
                 'iostream', 'fstream', 'filesystem', 'cstdio', 'atomic')


class Finding:
    def __init__(self, path, line, rule, why):
        self.path = path
        self.line = line
        self.rule = rule
        self.why = why

    def __str__(self):
        return f'{self.path}:{self.line}: {self.rule}: {self.why}'


def _matches(path, patterns):
    return any(fnmatch.fnmatch(path, p) for p in patterns)


def check_text(path, text):
    """Rules for every text file."""
    for number, line in enumerate(text.split('\n'), 1):
        for pattern, what in _FOREIGN:
            match = pattern.search(line)
            if match:
                yield Finding(path, number, 'foreign', f'{what}: {match.group(0)}')
        if re.search(r'\b(?:TO' + r'DO|FIX' + r'ME)\b', line):
            yield Finding(path, number, 'unfinished', 'finish it, or describe the limit in prose')
        if len(line) > COLUMNS_MAX and path.endswith(_COLUMN_LIMIT):
            yield Finding(path, number, 'columns', f'{len(line)} columns; at most {COLUMNS_MAX}')


def check_cxx(path, text):
    """Rules for one C++ file."""
    yield from _check_shape(path, text)
    yield from _check_includes(path, text)
    code = source.strip(text)
    for rule, pattern, where, but, why in _BANNED:
        if _matches(path, where) and not _matches(path, but):
            searched = text if rule == 'catch-and-drop' else code  # there a comment counts
            for match in pattern.finditer(searched):
                yield Finding(path, searched.count('\n', 0, match.start()) + 1, rule, why)


def _check_shape(path, text):
    lines = text.count('\n') + (not text.endswith('\n'))
    if lines > FILE_LINES_MAX:
        yield Finding(path, lines, 'file-length', f'{lines} lines; at most {FILE_LINES_MAX}')
    for function in source.functions(text):
        if function.lines() > FUNCTION_LINES_MAX:
            yield Finding(path, function.first_line, 'function-length',
                          f'{function.name} has {function.lines()} lines; '
                          f'at most {FUNCTION_LINES_MAX}')
    if path.endswith('.hpp'):
        if not re.search(r'^#pragma once$', text, re.MULTILINE):
            yield Finding(path, 1, 'pragma-once', 'a header has #pragma once')
        if not text.lstrip().startswith(('//', '/*')):
            yield Finding(path, 1, 'header-comment', 'a header begins by saying what it is and why')


def _check_includes(path, text):
    found = source.includes(text)
    ours = [i for i in found if not i.is_standard()]
    if path.endswith('.hpp') and len(ours) > HEADER_INCLUDES_MAX:
        yield Finding(path, ours[-1].line, 'header-includes',
                      f'{len(ours)} project and third-party includes; '
                      f'at most {HEADER_INCLUDES_MAX}')
    pure = _matches(path, _PURE) and not path.startswith('tests/')
    for include in found:
        why = None
        if include.quoted:
            why = layers.why_not_include(path, include.path)
            if pure and include.path == 'longhaul/base/log.hpp':
                why = 'core and lifecycle write no log'
        elif not include.is_standard():
            why = layers.why_not_library(path, include.path)
        elif pure and include.path in _PURE_HEADERS:
            why = f'core and lifecycle are pure: not <{include.path}>'
        if why:
            yield Finding(path, include.line, 'include', why)
    # A header of templates ends by including its own definitions.
    if found and found[-1].quoted and '/impl/' in found[-1].path:
        found.pop()
    if not re.search(r'^\s*#\s*(?:if|define|undef)', text, re.MULTILINE):
        for before, after in zip(found, found[1:]):
            if after.rank() < before.rank():
                yield Finding(path, after.line, 'include-order',
                              'own header, "longhaul/…" and components, third party, std')
                break


def check_tree(files, ratchet):
    """Rules over all files together: {path: text}."""
    users = {}
    lengths = []
    for path, text in sorted(files.items()):
        if not path.endswith(CXX) or path.startswith('tests/'):
            continue
        lengths += [f.lines() for f in source.functions(text)]
        for include in source.includes(text):
            entry = None if include.quoted else layers.library_of(include.path)
            if entry and entry[2]:
                users.setdefault(entry, {}).setdefault(path, include.line)
    for entry, places in users.items():
        for path, line in list(places.items())[entry[2]:]:
            yield Finding(path, line, 'include',
                          f'<{entry[0]}…> is for {entry[2]} file; {next(iter(places))} has it')
    limit = ratchet.get('function_lines_p90')
    if limit and lengths:
        p90 = sorted(lengths)[(len(lengths) * 9) // 10]
        if p90 > limit:
            yield Finding('tests/tidy/ratchet.json', 1, 'ratchet',
                          f'90 % of functions had at most {limit} lines, now {p90}')


def check_files(files, ratchet):
    """Every finding for {path: text}."""
    found = []
    for path, text in sorted(files.items()):
        found += check_text(path, text)
        if path.endswith(CXX):
            found += check_cxx(path, text)
        elif path.endswith('.py') and text.count('\n') > FILE_LINES_MAX:
            found.append(Finding(path, 1, 'file-length', f'at most {FILE_LINES_MAX} lines'))
    found += check_tree(files, ratchet)
    return found


def rule_names():
    return sorted({rule for rule, *_ in BANNED} | {
        'foreign', 'unfinished', 'columns', 'file-length', 'function-length', 'pragma-once',
        'header-comment', 'header-includes', 'include', 'include-order', 'ratchet'})


def read_tree(root):
    """{path: text} of the project's own text files."""
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not (
            f.startswith('build') or f.startswith('.') and f != '.ci' or f == '__pycache__'
            or f == 'node_modules' or folder == os.path.join(root, 'subprojects')))
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if name in ('LICENSE', '.git') or os.path.getsize(os.path.join(folder, name)) > 1 << 20:
                continue
            with open(os.path.join(folder, name), 'rb') as file:
                data = file.read()
            if b'\0' not in data:
                files[path] = data.decode('utf-8', 'replace')
    return files
