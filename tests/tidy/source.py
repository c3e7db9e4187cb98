"""C++ text as the rules need it: without comments and literals, with its includes and functions.

Line numbers stay true: whatever is taken out leaves its line ends behind.
"""

import re

_TOKEN = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_TYPE_HEAD = re.compile(r'\b(?:class|struct|union|enum)\b')
_SYSTEM_FOLDERS = ('sys/', 'linux/', 'netinet/', 'arpa/', 'net/if', 'asm/', 'bits/')
_THIRD_PARTY_H = ('archive.h', 'archive_entry.h', 'zstd.h', 'nats.h')


def strip(text, keep_literals=False):
    """The text with comments (and literals) blanked; strings become "" so that calls stay calls."""
    def blank(match):
        token = match.group(0)
        if token[0] in '"R\'':
            if keep_literals:
                return token
            return '""' + '\n' * token.count('\n')
        return ' ' + '\n' * token.count('\n')
    return _TOKEN.sub(blank, text)


class Include:
    def __init__(self, line, path, quoted):
        self.line = line
        self.path = path
        self.quoted = quoted

    def is_standard(self):
        """The standard library's and the system's own headers."""
        if self.quoted or self.path in _THIRD_PARTY_H:
            return False
        return '/' not in self.path or self.path.startswith(_SYSTEM_FOLDERS)

    def rank(self):
        """The house order: ours, third party, standard."""
        if self.quoted:
            return 0
        return 2 if self.is_standard() else 1


def includes(text):
    bare = strip(text, keep_literals=True)
    return [Include(bare.count('\n', 0, m.start(1)) + 1, m.group(2), m.group(1) == '"')
            for m in _INCLUDE.finditer(bare)]


class Function:
    def __init__(self, name, first_line, last_line):
        self.name = name
        self.first_line = first_line
        self.last_line = last_line

    def lines(self):
        return self.last_line - self.first_line + 1


def _is_scope(head):
    """Whether a brace after `head` opens a namespace or a type, in which functions may lie."""
    head = head.strip()
    if re.search(r'\bnamespace\b', head) or re.match(r'extern\s*""$', head):
        return True
    return bool(_TYPE_HEAD.search(head)) and not head.endswith((')', '=')) and not re.search(
        r'\)\s*(?:const|noexcept|override|final|->|:[^:])', head)


def _name(head):
    match = re.search(r'([~\w:]+|operator\s*\S+)\s*\(', head)
    return match.group(1) if match else head.strip()[:40]


def functions(text):
    """Every outermost function with its lines, from its head to its closing brace."""
    code = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', '', strip(text), flags=re.MULTILINE)
    found = []
    depth_inside = 0     # braces open inside a function or an initialiser
    inside = None        # (name, first line) of the function being read; None: an initialiser
    head_start = 0
    line_of = _line_counter(code)
    for match in re.finditer(r'[{};]', code):
        at = match.start()
        token = match.group(0)
        if depth_inside:
            depth_inside += {'{': 1, '}': -1, ';': 0}[token]
            if depth_inside == 0:
                if inside:
                    found.append(Function(inside[0], inside[1], line_of(at)))
                head_start = at + 1
            continue
        if token == '{':
            head = code[head_start:at]
            if not _is_scope(head):
                inside = None
                depth_inside = 1
                if '(' in head and not head.rstrip().endswith('='):
                    blank = len(head) - len(head.lstrip())
                    inside = (_name(head), line_of(head_start + blank))
                    # A member initialised with braces: the function began before it.
                    if found and head.lstrip().startswith(','):
                        inside = (found[-1].name, found.pop().first_line)
        head_start = at + 1
    return found


def _line_counter(code):
    starts = [0] + [m.end() for m in re.finditer('\n', code)]

    def line_of(position):
        low, high = 0, len(starts)
        while high - low > 1:
            middle = (low + high) // 2
            if starts[middle] <= position:
                low = middle
            else:
                high = middle
        return low + 1
    return line_of
