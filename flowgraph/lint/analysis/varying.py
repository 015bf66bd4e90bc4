"""What gives another value each time it is asked, or in each process: time, random numbers, the environment."""

from __future__ import annotations

import ast

from flowgraph.compiler import Foreign, Names
from flowgraph.lint.analysis.origins import called, listed, origin

_FUNCTIONS = listed("""
    time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time
    time.process_time_ns time.thread_time time.thread_time_ns time.clock_gettime time.clock_gettime_ns
    datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today
    asyncio.get_running_loop().time asyncio.get_event_loop().time anyio.current_time
    uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.uuid8 uuid.getnode
    os.urandom os.getrandom os.getenv os.getpid os.getppid os.getcwd os.getlogin os.cpu_count
    os.process_cpu_count os.times os.getloadavg pathlib.Path.cwd pathlib.Path.home
    socket.gethostname socket.getfqdn platform.node threading.get_ident threading.get_native_id getpass.getuser
    pendulum.now pendulum.today arrow.now arrow.utcnow django.utils.timezone.now ulid.ULID ulid.new shortuuid.uuid
    builtins.id builtins.hash
    """)
_MOSTLY_SAME = (
    "os.environ", "os.getenv", "os.getcwd", "os.getlogin", "os.cpu", "os.process_cpu", "pathlib.",
    "socket.", "platform.", "getpass.getuser", "uuid.getnode",
)  # fmt: skip

_MODULES = ("os.environ.", "random.", "secrets.", "numpy.random.")
_SEEDED = frozenset(
    {"random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.SeedSequence"}
)
"""Made with a seed, these give the same numbers again."""

_OF_NOW = {"time.localtime": 0, "time.gmtime": 0, "time.ctime": 0, "time.asctime": 0, "time.strftime": 1}
"""They look at the clock where they have only so many arguments."""


def varying(node: ast.AST, names: Names) -> str | None:
    """The full name of what a call or ``os.environ`` asks for, if that may be another value next time; None else."""
    if isinstance(node, ast.Call):
        return _varying_call(node, names)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return "os.environ" if _is_environment(node.value, names) else None
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        return "os.environ" if _is_environment(node.comparators[0], names) else None
    return None


def _varying_call(node: ast.Call, names: Names) -> str | None:
    function = called(node, names)
    name = origin(function, names)
    if any(_is_environment(argument, names) for argument in node.args):
        return "os.environ"
    if name is None:
        return None
    given = len(node.args) + len(node.keywords) if function is node.func else len(node.args) - 1
    if name in _SEEDED:
        return None if given else name
    if name in _OF_NOW:
        return name if given <= _OF_NOW[name] else None
    if name == "builtins.hash" and node.args and _hashes_alike(node.args[0]):
        return None
    if name in _FUNCTIONS:
        return name
    return name if name.startswith(_MODULES) and "()" not in name and not _is_type(name) else None


def _hashes_alike(node: ast.expr) -> bool:
    """Tell whether an expression is a number: the hashes of texts differ between processes, those of numbers do not."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float | None)


def _is_type(name: str) -> bool:
    """Tell whether it is a class of such a module, as in an annotation; SystemRandom and Generator have no seed."""
    return name.rpartition(".")[2][:1].isupper() and not name.endswith("SystemRandom")


def is_mostly_the_same(name: str) -> bool:
    """Tell whether what varies is the same in all processes of one machine: it may be in a name, with a warning."""
    return name.startswith(_MOSTLY_SAME)


def _is_environment(node: ast.expr, names: Names) -> bool:
    meaning = names.meaning_of(node)
    return isinstance(meaning, Foreign) and meaning.name in ("os.environ", "os.environb")
