"""Waits until a URL answers with success. It hardly computes, so that many runs share a process.

Event (JSON):
    {"url": "http://127.0.0.1:8080/",
     "every": 5}           seconds between two tries; optional

Result: how often it asked and how long that took.
"""
import asyncio
import time
import urllib.error
import urllib.request


def ask(url):
    """The status, or what was wrong instead of one."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


async def main(event, context):
    begin = time.monotonic()
    tries = 0
    try:
        while True:
            tries += 1
            said = await asyncio.to_thread(ask, event["url"])
            print(f"try {tries}: {said}")
            if isinstance(said, int) and 200 <= said <= 299:
                return {"tries": tries, "seconds": round(time.monotonic() - begin, 1)}
            await asyncio.sleep(float(event.get("every", 5)))
    except asyncio.CancelledError:
        print(f"told to return after {tries} tries")
        raise


if __name__ == "__main__":
    import sys

    print(asyncio.run(main({"url": sys.argv[1]}, None)))
