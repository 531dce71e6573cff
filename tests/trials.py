"""What the scripts in this folder share: the stress binary, its ledger, mounts, and the line of result."""

import argparse
import contextlib
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTERS = ("started", "handed", "synced", "refused_writes", "refused_reads")
SKIPPED = 77
SOUND, BAD, ENGINE = 0, 1, 3
# Longer than this nothing takes that is not stuck.
PATIENCE = 60


class Bad(Exception):
    """A promise was broken."""


class Missing(Exception):
    """The machine lacks something that the trial needs."""


def need(condition, what):
    if not condition:
        raise Missing(what)


def need_root():
    need(os.geteuid() == 0, "root")


def need_tools(*names):
    for name in names:
        need(shutil.which(name), f"the tool {name}")


def check(condition, what):
    if not condition:
        raise Bad(what)


def binary():
    """The stress binary, built if the caller names none."""
    named = os.environ.get("BETTONG_STRESS")
    if named:
        return named
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "bettong-stress"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.path.join(target, "release", "bettong-stress")


class Trial:
    """One database and its ledger, which is kept apart from it."""

    def __init__(self, home, directory, seed, threads=2, keys=300, shape=None, preset="small"):
        self.program = BINARY[0]
        self.home, self.directory, self.seed = home, directory, seed
        self.ledger = os.path.join(home, f"ledger-{seed}")
        self.threads, self.keys, self.preset = threads, keys, preset
        self.shape = seed if shape is None else shape

    def arguments(self, command, *more):
        pairs = [("dir", self.directory), ("ledger", self.ledger), ("seed", self.seed), ("threads", self.threads)]
        pairs += [("keys", self.keys), ("shape", self.shape), ("preset", self.preset)]
        named = [word for name, value in pairs for word in (f"--{name}", str(value))]
        return [self.program, command, *named, *map(str, more)]

    def start(self, *more, before=(), **options):
        """A writer."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*before, *self.arguments("write", *more)], **{**streams, **options})

    def write(self, *more, **options):
        """Waits for a writer to end; its exit code and what it said."""
        return ended(self.start(*more, **options))

    def try_verify(self, *more, **options):
        done = subprocess.run(self.arguments("verify", *more), capture_output=True, timeout=PATIENCE, check=False, **options)
        return done.returncode, said(done.stdout, done.stderr)

    def verify(self, *more):
        """Checks that everything acknowledged is there; returns the commits of each thread."""
        code, what = self.try_verify(*more)
        check(code == SOUND, f"seed {self.seed}, {what.get('message', what)}; look again with: "
              + " ".join(self.arguments("verify", *more)))
        return what["commits"]

    def rows(self):
        """The ledger: a dictionary for each thread."""
        try:
            with open(self.ledger, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            data = b""
        width = 8 * len(COUNTERS)
        data = data.ljust(self.threads * width, b"\0")
        read = lambda thread: struct.unpack_from("<5Q", data, thread * width)
        return [dict(zip(COUNTERS, read(thread))) for thread in range(self.threads)]

    def total(self, counter):
        return sum(row[counter] for row in self.rows())

    def wait_for(self, counter, more, writer, patience=PATIENCE):
        """Waits until a counter of the ledger has grown by so much while the writer lives."""
        before = self.total(counter)
        self.wait_until(lambda: self.total(counter) >= before + more, f"{more} more {counter}", writer, patience)

    def wait_until(self, reached, what, writer, patience=PATIENCE):
        end = time.monotonic() + patience
        while not reached():
            if writer.poll() is not None:
                raise Bad(f"seed {self.seed}: the writer ended by itself: {ended(writer)}")
            check(time.monotonic() < end, f"seed {self.seed}: the writer is stuck, waited for {what}: {self.rows()}")
            time.sleep(0.0005)


def said(stdout, stderr):
    """The line of JSON of a command, or all it said."""
    try:
        return {**json.loads(stdout), "stderr": stderr.decode(errors="replace")}
    except ValueError:
        return {"message": (stdout + stderr).decode(errors="replace"), "stderr": stderr.decode(errors="replace")}


def ended(process, patience=PATIENCE):
    """Waits for a process; its exit code and what it said. One that hangs is killed, and bad."""
    try:
        stdout, stderr = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Bad(f"it hangs: {' '.join(process.args)}") from None
    what = said(stdout or b"", stderr or b"")
    check("panicked" not in what["stderr"], f"a panic: {what['stderr']}")
    return process.returncode, what


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.communicate()


LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2


def mount(source, target, kind, flags=0, options=""):
    encoded = [text.encode() for text in (source, target, kind)]
    if LIBC.mount(*encoded, flags, options.encode()) != 0:
        code = ctypes.get_errno()
        what = f"mount {kind} on {target}: {os.strerror(code)}"
        # A container's root may have no right to mount, and a kernel no such file system.
        need(code not in (errno.EPERM, errno.EACCES, errno.ENODEV), f"the right to {what}")
        raise OSError(code, what)


def umount(target, flags=0):
    end = time.monotonic() + 10
    while LIBC.umount2(target.encode(), flags) != 0:
        code = ctypes.get_errno()
        if time.monotonic() > end:
            raise OSError(code, f"umount {target}: {os.strerror(code)}")
        time.sleep(0.001)


@contextlib.contextmanager
def mounted(source, target, kind, flags=0, options=""):
    os.makedirs(target, exist_ok=True)
    mount(source, target, kind, flags, options)
    try:
        yield target
    finally:
        umount(target, MNT_DETACH)


def on_disk():
    """A folder that is not in memory."""
    return "/var/tmp"


def on_memory():
    """A folder in memory, if there is one with enough room; containers have little."""
    path = "/dev/shm"
    if not os.path.isdir(path) or not os.access(path, os.W_OK):
        return None
    room = os.statvfs(path)
    return path if room.f_bavail * room.f_frsize > 1 << 29 else None


@contextlib.contextmanager
def scratch(where=None):
    """A folder that is gone afterwards, unless what is in it is bad."""
    path = tempfile.mkdtemp(prefix="bettong-trial-", dir=where)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


BINARY = [""]


def main(name, about, trial, cycles, add_arguments=lambda parser: None):
    """Runs a trial: `trial(arguments, figures)` fills in its figures."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=cycles, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="default: the time")
    parser.add_argument("--required", action="store_true", help=f"fail if the machine lacks something, instead of exit code {SKIPPED}")
    add_arguments(parser)
    arguments = parser.parse_args()
    figures = {"cycles": 0}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    code = 0
    began = time.monotonic()
    try:
        BINARY[0] = binary()
        # A panic is bad without its backtrace, too.
        os.environ["RUST_BACKTRACE"] = "0"
        began = time.monotonic()
        trial(arguments, figures, random.Random(arguments.seed))
        figures["bad"] = 0
    except Bad as bad:
        figures["bad"] = 1
        print(f"{name}: BAD after {figures['cycles']} cycles: {bad}\nagain: tests/{name} --seed {arguments.seed}", file=sys.stderr)
        code = BAD
    except Missing as missing:
        print(f"{name}: not run, for this needs {missing}", file=sys.stderr)
        sys.exit(BAD if arguments.required else SKIPPED)
    seconds = time.monotonic() - began
    figures["cycles_per_minute"] = round(figures["cycles"] / seconds * 60)
    print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()) + f", seed {arguments.seed}", flush=True)
    sys.exit(code)
