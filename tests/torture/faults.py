"""Ends, stops and restarts programs at random, and brings all of them back at the end."""

import os
import random
import signal
import threading
import time
import traceback

from callers import process_ticks
from history import now

# What happens to a program: ended by SIGKILL, killed again while it starts, ended by SIGTERM, held
# by SIGSTOP.
MANNERS = (('kill', 52), ('kill twice', 12), ('term', 14), ('hold', 22))
SHARE_OF_AGENTS = 0.22
PAUSE_SECONDS = (0.1, 1.2)   # between two faults
AWAY_SECONDS = (0, 0.8)      # until what was ended is started again
HELD_SECONDS = (0.05, 2.5)
READY_SECONDS = 120          # a busy machine


class Torturer(threading.Thread):
    """Goes on until it is told to stop, or has done so many faults."""

    def __init__(self, cluster, recorder, seed, most=None, pause=PAUSE_SECONDS):
        super().__init__(daemon=True)
        self.cluster, self.recorder = cluster, recorder
        self.chance = random.Random(seed)
        self.most, self.pause = most, pause
        self.done = 0
        self.stopped = threading.Event()

    def run(self):
        try:
            while not self.stopped.wait(self.chance.uniform(*self.pause)):
                if self.most is not None and self.done >= self.most:
                    return
                self.one_fault()
                self.done += 1
        except Exception:  # pylint: disable=broad-except
            self.recorder.record('problem', text=traceback.format_exc())

    def one_fault(self):
        self.see_who_is_up()
        if self.chance.random() < SHARE_OF_AGENTS and self.harm_an_agent():
            return
        names = self.cluster.names()
        count = self.chance.choices((1, 2, 3), (72, 20, 8))[0]
        victims = self.chance.sample(names, count)
        held, ended = [], []
        for victim in victims:
            manner = self.chance.choices(*zip(*MANNERS))[0]
            self.recorder.record('fault', manner='kill' if manner == 'kill twice' else manner,
                                 victim=victim.split('_')[0] if 'host' in victim else victim)
            (held if manner == 'hold' else ended).append((victim, manner))
            self.harm(victim, manner)
        if held:
            self.stopped.wait(self.chance.uniform(*HELD_SECONDS))
            for victim, _ in held:
                self.cluster.resume(victim)
        if ended:
            self.stopped.wait(self.chance.uniform(*AWAY_SECONDS))
            self.bring_back(ended)

    def harm(self, victim, manner):
        if manner == 'hold':
            self.cluster.suspend(victim)
        elif manner == 'term':
            self.cluster.stop_one(victim)
        else:
            self.cluster.kill_9(victim)

    def bring_back(self, ended):
        for victim, manner in ended:
            self.cluster.launch(victim)
            if manner == 'kill twice':
                self.stopped.wait(self.chance.uniform(0, 0.3))
                self.recorder.record('fault', manner='kill', victim=victim.split('_')[0]
                                     if 'host' in victim else victim)
                self.cluster.kill_9(victim)
                self.cluster.launch(victim)
        for victim, _ in ended:
            self.cluster.start_one(victim, READY_SECONDS)

    def harm_an_agent(self):
        """A runtime agent, whose function ends with it, or is held with nobody to tell of it."""
        found = self.cluster.instances()
        if not found:
            return False
        pid = self.chance.choice(sorted(found))
        ticks = process_ticks(pid)
        words = found[pid].split()
        instance = words[words.index('--instance') + 1]
        kill = self.chance.random() < 0.7
        self.recorder.record('fault', manner='kill' if kill else 'hold', victim='runtime_agent',
                             instance=instance if kill else None)
        send(pid, ticks, signal.SIGKILL if kill else signal.SIGSTOP)
        if not kill:
            self.stopped.wait(self.chance.uniform(*HELD_SECONDS))
            send(pid, ticks, signal.SIGCONT)
        return True

    def see_who_is_up(self):
        """A program that nobody has ended must run."""
        for name in self.cluster.names():
            if self.cluster.pid(name) is None:
                self.recorder.record('crash', victim=name, text=self.cluster.log_tail(name, 10))
                self.cluster.start_one(name, READY_SECONDS)

    def heal(self):
        """All is there again, and knows of each other."""
        self.see_who_is_up()
        for name in self.cluster.names():
            self.cluster.resume(name)
        self.cluster.start(READY_SECONDS)
        self.recorder.record('healed', at=now(), wall=time.time())


def send(pid, ticks, number):
    """To that very process, not to another that has got its id."""
    try:
        if process_ticks(pid) == ticks:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
