"""A plain HTTP server that looks for a short round trip. It knows nothing of longhaul but $PORT.

    POST /tours    {"points": [[x, y], ...], "seconds": 5} or {"random": 200}: the tour it found
    GET /health    200

Standard library only. Without longhaul:
    PORT=8080 python3 server.py, and curl localhost:8080/tours --data '{"random": 100}'
"""

import http.server
import json
import math
import os
import random
import signal
import sys
import threading
import time
import urllib.request

POINTS_MAX = 2000
SECONDS_MAX = 300
stopping = threading.Event()


class BadRequest(Exception):
    pass


def points_of(order):
    count = order.get('random')
    if count is not None:
        if not isinstance(count, int) or not 3 <= count <= POINTS_MAX:
            raise BadRequest(f'random must be a whole number from 3 to {POINTS_MAX}')
        chance = random.Random(count)
        return [(chance.random() * 100, chance.random() * 100) for _ in range(count)]
    points = order.get('points')
    if not isinstance(points, list) or not 3 <= len(points) <= POINTS_MAX:
        raise BadRequest(f'points must be a list of 3 to {POINTS_MAX} pairs')
    try:
        return [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError) as error:
        raise BadRequest('each point must be a pair of numbers') from error


def seconds_of(order):
    seconds = order.get('seconds', 5)
    if not isinstance(seconds, (int, float)) or not 0 < seconds <= SECONDS_MAX:
        raise BadRequest(f'seconds must be a number up to {SECONDS_MAX}')
    return seconds


def length_of(tour):
    return sum(math.dist(tour[i - 1], tour[i]) for i in range(len(tour)))


def nearest_first(points):
    """A first tour: always on to the nearest point that is left."""
    left = list(points)
    tour = [left.pop()]
    while left:
        nearest = min(range(len(left)), key=lambda i: math.dist(tour[-1], left[i]))
        tour.append(left.pop(nearest))
    return tour


def improve_once(tour, chance):
    """Turns a stretch round where that makes the tour shorter (2-opt)."""
    i, j = sorted(chance.sample(range(len(tour)), 2))
    before, after = tour[i - 1], tour[(j + 1) % len(tour)]
    if before is tour[j] or after is tour[i]:
        return False
    gain = (math.dist(before, tour[i]) + math.dist(tour[j], after)
            - math.dist(before, tour[j]) - math.dist(tour[i], after))
    if gain <= 1e-9:
        return False
    tour[i:j + 1] = reversed(tour[i:j + 1])
    return True


def find_tour(points, seconds, tell):
    chance = random.Random(1)
    tour = nearest_first(points)
    first = length_of(tour)
    start = told = time.monotonic()
    turns = 0
    print(f'{len(points)} points; the nearest first: {first:.1f}', flush=True)
    while not stopping.is_set():
        for _ in range(1000):
            turns += improve_once(tour, chance)
        now = time.monotonic()
        if now - start >= seconds:
            break
        if now - told >= 0.5:
            told = now
            length = length_of(tour)
            print(f'{now - start:.1f} s: {length:.1f} after {turns} turns', flush=True)
            tell(100 * (now - start) / seconds, f'{length:.1f} long')
    return {'length': round(length_of(tour), 3), 'first': round(first, 3), 'turns': turns,
            'stopped': stopping.is_set(), 'tour': tour}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if self.path == '/health':
            self.answer(200, {'ready': True})
        else:
            self.answer(404, {'error': 'there is POST /tours, and GET /health'})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', '0')))
        if self.path != '/tours':
            self.answer(404, {'error': 'there is POST /tours'})
            return
        try:
            order = json.loads(body)
            if not isinstance(order, dict):
                raise BadRequest('the body must be a JSON object')
            points, seconds = points_of(order), seconds_of(order)
        except (BadRequest, ValueError) as error:
            self.answer(400, {'error': str(error)})
            return
        self.answer(200, find_tour(points, seconds, self.tell))

    def tell(self, percent, message):
        """Progress, where the request says to whom."""
        url = self.headers.get('Longhaul-Progress-Url')
        if not url:
            return
        news = json.dumps({'percent': round(percent, 1), 'message': message}).encode()
        try:
            urllib.request.urlopen(url, news, timeout=5).close()
        except OSError as error:
            print('no progress told:', error, file=sys.stderr, flush=True)

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *words):  # pylint: disable=redefined-builtin
        pass


def main():
    # A run that is stopped answers with the best that it has.
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    address = ('127.0.0.1', int(os.environ['PORT']))
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == '__main__':
    main()
