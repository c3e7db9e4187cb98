#!/usr/bin/env python3
"""Checks the house rules: include directions, libraries, lengths, banned words.

  check.py          prints every finding as `file:line: rule: why`; exit 1 if there is one
  check.py --test   also proves that the rules bite, and counts: one test per rule and snippet
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402
import self_test  # noqa: E402


def main(arguments):
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    ratchet = {}
    ratchet_path = os.path.join(here, 'ratchet.json')
    if os.path.exists(ratchet_path):
        with open(ratchet_path, encoding='utf-8') as file:
            ratchet = json.load(file)
    findings = rules.check_files(rules.read_tree(root), ratchet)
    for finding in findings:
        print(finding)
    if '--test' not in arguments:
        return 1 if findings else 0
    passed, problems = self_test.run()
    for problem in problems:
        print(problem)
    broken = {finding.rule for finding in findings}
    passed += len(rules.rule_names()) - len(broken)
    failed = len(problems) + len(broken)
    print(f'{passed} passed, {failed} failed, 0 skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
