"""What reaches outside the process: files, networks, databases, other programs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from flowgraph.compiler import Defined, Foreign, Names
from flowgraph.lint.analysis.origins import called, listed, origin

_FUNCTIONS = listed("""
    builtins.open builtins.input io.open codecs.open time.sleep
    os.system os.popen os.remove os.unlink os.rename os.replace os.renames os.mkdir os.makedirs os.rmdir os.removedirs
    os.listdir os.scandir os.walk os.stat os.lstat os.access os.chmod os.chown os.link os.symlink os.readlink
    os.truncate os.utime os.open os.kill os.killpg os.fork os.spawnl os.spawnv os.execv os.execvp os.posix_spawn
    os.path.exists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime
    glob.glob glob.iglob fileinput.input
    tempfile.mkdtemp tempfile.mkstemp tempfile.TemporaryDirectory tempfile.NamedTemporaryFile tempfile.TemporaryFile
    shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move shutil.rmtree shutil.disk_usage
    shutil.make_archive shutil.unpack_archive
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.getoutput
    subprocess.getstatusoutput subprocess.Popen
    asyncio.create_subprocess_exec asyncio.create_subprocess_shell asyncio.open_connection asyncio.start_server
    asyncio.open_unix_connection anyio.open_file anyio.run_process anyio.open_process anyio.connect_tcp aiofiles.open
    urllib.request.urlopen urllib.request.urlretrieve urllib3.request
    socket.create_connection socket.getaddrinfo socket.gethostbyname http.client.HTTPSConnection().request
    http.client.HTTPConnection().request smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP ftplib.FTP_TLS imaplib.IMAP4
    imaplib.IMAP4_SSL poplib.POP3 poplib.POP3_SSL
    sqlite3.connect psycopg.connect psycopg.AsyncConnection.connect psycopg.Connection.connect psycopg2.connect
    asyncpg.connect asyncpg.create_pool aiosqlite.connect pymysql.connect aiomysql.connect mysql.connector.connect
    aiohttp.request requests.request httpx.request httpx.stream websockets.connect
    """) | {
    f"{module}.{verb}"
    for module in ("requests", "httpx")
    for verb in ("get", "post", "put", "patch", "delete", "head", "options")
}

_MODULES = ("pandas.read_", "polars.read_", "polars.scan_")

_CLIENTS = tuple(
    f"{name}()."
    for name in listed("""
    requests.Session requests.session httpx.Client httpx.AsyncClient aiohttp.ClientSession urllib3.PoolManager
    sqlite3.Connection sqlite3.Cursor psycopg.Connection psycopg.AsyncConnection psycopg.Cursor psycopg.AsyncCursor
    psycopg_pool.ConnectionPool psycopg_pool.AsyncConnectionPool asyncpg.Connection asyncpg.Pool aiosqlite.Connection
    sqlalchemy.create_engine sqlalchemy.orm.Session sqlalchemy.ext.asyncio.AsyncSession
    sqlalchemy.ext.asyncio.create_async_engine redis.Redis redis.StrictRedis redis.asyncio.Redis redis.from_url
    redis.asyncio.from_url pymongo.MongoClient motor.motor_asyncio.AsyncIOMotorClient boto3.client boto3.resource
    openai.OpenAI openai.AsyncOpenAI anthropic.Anthropic anthropic.AsyncAnthropic
    """)
)
"""Objects whose methods reach outside; making one does not."""

_QUIET = frozenset(
    {"build_request", "cursor", "begin", "pipeline", "get_database", "get_collection", "copy", "close", "aclose"}
)

_PATH = "pathlib.Path()."
_OF_PATHS = listed("""
    open read_text read_bytes write_text write_bytes exists is_file is_dir is_symlink stat lstat iterdir glob rglob
    walk mkdir rmdir unlink rename replace touch chmod symlink_to hardlink_to samefile
    """)


def outside(node: ast.Call, names: Names, further: Iterable[str] = ()) -> str | None:
    """The full name of what a call calls, if that reaches outside the process; None else.

    Args:
        node: the call.
        names: those of the scope that it is in.
        further: more modules and functions that do, as full names.
    """
    function = called(node, names)
    name = origin(function, names)
    if name is not None and _reaches(name):
        return name
    if not further or _is_of_found(function, names, further):
        return None
    known = [name, _imported(function, names), _defined(function, names)]
    return next((one for one in known if one is not None and any(_is_of(one, entry) for entry in further)), None)


def _reaches(name: str) -> bool:
    if name in _FUNCTIONS or name.startswith(_MODULES):
        return True
    method = name.rpartition(".")[2]
    if name.startswith(_PATH):
        return method in _OF_PATHS and name == _PATH + method
    return name.startswith(_CLIENTS) and name.count("()") == 1 and method not in _QUIET


def _is_of(name: str, entry: str) -> bool:
    """Tell whether a name is an entry, or in the module or of the class that it names."""
    return name == entry or name.startswith((f"{entry}.", f"{entry}()."))


def _is_of_found(function: ast.expr, names: Names, further: Iterable[str]) -> bool:
    """Tell whether it is a method of what another such call has just made: ``Client().send(…)`` is one finding."""
    made = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(made, ast.Call) and outside(made, names, further) is not None


def _imported(function: ast.expr, names: Names) -> str | None:
    """The full name under which a function of the project is imported."""
    meaning = names.meaning(ast.unparse(function)) if isinstance(function, ast.Name | ast.Attribute) else None
    return meaning.name if isinstance(meaning, Foreign) else None


def _defined(function: ast.expr, names: Names) -> str | None:
    """The full name of a function of the project, by its file and the packages around that."""
    meaning = names.meaning_of(function)
    if not isinstance(meaning, Defined):
        return None
    file = Path(meaning.names.unit.path)
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while folder.joinpath("__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    owner = [] if meaning.owner is None else [meaning.owner.name]
    return ".".join([*parts, *owner, meaning.node.name])
