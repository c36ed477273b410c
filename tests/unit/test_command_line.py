"""The command line: help without imports, errors in one line, exit codes."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
import rich_click as click
from click.testing import CliRunner

from commands import main as main_module
from commands.main import COMMANDS, EXIT_FAILED, EXIT_USAGE, expected_status
from commands.membership import configure
from local.parts.errors import PartsError
from process.reaching import Look
from process.settings import SettingsError, load_settings
from process.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


ZSH_ALONE = "autoload -Uz compinit; compinit -u -D; _describe() {{ print $completions_with_descriptions; }}"
AT_ONCE: Final = 4
"""Commands that wait for what does not come, side by side."""
TLS = {"REFERRALS_SECURITY_PROTOCOL": "SSL"}


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "commands", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "100", **(env or {})},
    )


def test_help_lists_every_command() -> None:
    """`--help` shows each command with its line."""
    result = run("--help")
    assert result.returncode == 0
    assert all(name in result.stdout and text in result.stdout for name, text in COMMANDS.items())


def test_help_imports_no_component() -> None:
    """`--help` is quick because it imports neither Kafka nor Postgres nor Faust."""
    code = (
        "import sys, commands.main as main\n"
        "sys.argv = ['referrals', '--help']\n"
        "try: main.main()\n"
        "finally: print('LOADED', *sorted({'confluent_kafka', 'faust', 'psycopg', 'pydantic'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.splitlines()[-1].split() == ["LOADED"]


def options_of(command: click.Command) -> Iterator[click.Parameter]:
    """Yield the options of a command and of those below it."""
    yield from command.params
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from options_of(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_no_default_that_is_empty(name: str) -> None:
    """`[default: ""]` says nothing to who reads it."""
    module = importlib.import_module(f"commands.{name.replace('-', '_')}")
    options = [each for each in options_of(module.command) if isinstance(each, click.Option)]
    assert [each.name for each in options if each.default == "" and each.show_default is not False] == []


def test_choices_that_are_missing_are_on_one_line() -> None:
    """What may be chosen, as the rest of what is wrong, behind the program's name."""
    result = run("token", "--org", "0b000000-0000-4000-8000-000000000001")
    assert result.returncode == EXIT_USAGE
    first, _ = result.stderr.splitlines()
    assert first == "referrals: Missing option '--role'. Choose from: mentor, coordinator, org_admin, onboarding"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    """Each command of the list can be imported and has help."""
    result = run(name, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage: referrals" in result.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("./referrals dea", "dead-letters"),
        ("./referrals dead-letters rep", "replay"),
        ("./referrals up --parts lo", "local"),
    ],
)
def test_the_shell_completes_commands_options_and_values(words: str, completed: str) -> None:
    """As `eval "$(_REFERRALS_COMPLETE=bash_source ./referrals)"` lets bash ask."""
    asked = {"_REFERRALS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert run(env=asked).stdout == f"plain,{completed}\n"


@pytest.mark.parametrize("name", ["token", "sign-in-link"])
def test_roles_are_whole_words_in_a_narrow_terminal(name: str) -> None:
    """The list of them beside the option was cut in the middle of a word."""
    assert "org_adm" not in run(name, "--help", env={"COLUMNS": "80"}).stdout.replace("org_admin", "")


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("zsh", f"{ZSH_ALONE}; {{eval}}; words=(./referrals orgs rotat) CURRENT=3; _referrals_completion"),
        ("fish", "{eval}; complete -C'./referrals orgs rotat'"),
    ],
)
def test_other_shells_ask_the_program_that_was_typed(shell: str, script: str, tmp_path: Path) -> None:
    """A checkout is on no path: click's own scripts for them ask whatever is called `referrals` there."""
    program = shutil.which(shell)
    source = run(env={"_REFERRALS_COMPLETE": f"{shell}_source"}).stdout
    assert "_complete referrals" not in source
    assert "$+commands" not in source
    if program is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "referrals").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m commands "$@"\n')
    (tmp_path / "referrals").chmod(0o755)
    (tmp_path / "script").write_text(source)
    result = subprocess.run(
        [program, "-c", script.format(eval="source ./script")],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
    )
    assert "rotate-secret" in result.stdout, result.stderr


def test_an_unknown_command_is_bad_usage() -> None:
    """A command that there is not ends with 2."""
    result = run("nonsense")
    assert result.returncode == EXIT_USAGE
    assert "nonsense" in result.stderr


def test_what_is_misspelt_is_told_with_what_is_near() -> None:
    """A command, a command of a command, an option, and a variable that would be passed over in silence."""
    for arguments, told in (
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["orgs", "creat"], "No such command 'creat'. Did you mean 'create'?"),
        (["token", "--roll", "x"], "Did you mean --role?"),
    ):
        result = run(*arguments)
        assert result.returncode == EXIT_USAGE
        assert told in result.stderr
        assert all(line.startswith("referrals: ") for line in result.stderr.splitlines())
    result = run(
        "token", env={"REFERRALS_JWT_SECRETS": "x", "REFERRALS_NONSENSE_WORD": "x", "REFERRALS_FAULT_POINT": ""}
    )
    assert (
        "REFERRALS_JWT_SECRETS is no setting and changes nothing; did you mean REFERRALS_JWT_SECRET?" in result.stderr
    )
    assert "REFERRALS_NONSENSE_WORD is no setting" in result.stderr
    assert "FAULT_POINT" not in result.stderr


def test_the_version_is_told() -> None:
    """As the package has it."""
    assert run("--version").stdout == f"referrals {VERSION}\n"


def test_without_kafka_a_command_says_what_it_tried(tmp_path: Path) -> None:
    """The address, why it failed, the setting that says so, and what to do; with the exit code of its own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        ends = {
            ("topics", "create"): EXIT_FAILED,
            ("verify", "--no-checkpoint"): 2,
            ("dead-letters", "list"): EXIT_FAILED,
            ("dead-letters", "show", "0/0"): EXIT_FAILED,
            ("dead-letters", "replay", "--all"): EXIT_FAILED,
            ("up", "--data-dir", str(tmp_path)): EXIT_FAILED,
            ("demo",): EXIT_FAILED,
        }
        at = {"REFERRALS_BOOTSTRAP_SERVERS": address}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = dict(zip(ends, pool.map(lambda each: run(*each, env=at), ends), strict=True))
            by_tls = list(pool.map(lambda each: run(*each, env={**at, **TLS}), list(ends)[:2]))
    for arguments, result in results.items():
        assert result.returncode == ends[arguments]
        assert f"Kafka does not answer at {address} (Connection refused)" in result.stderr
        assert "REFERRALS_BOOTSTRAP_SERVERS says" in result.stderr
        assert "waiting" not in result.stderr
    assert all(f"Kafka does not answer at {address} (Connection refused)" in each.stderr for each in by_tls)
    settings = load_settings(data_dir=tmp_path)
    assert "REFERRALS_BOOTSTRAP_SERVERS is not set: start one with `referrals up`" in str(Look(settings))


def test_a_membership_system_that_is_away_is_not_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says which address, why not, and what to do; asked once."""
    monkeypatch.setenv("REFERRALS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("edges.reconciliation.configuring.check_organisation", lambda *_: None)
    monkeypatch.setattr("edges.reconciliation.configuring.may_send_kept_secret", lambda *_: False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}/api/members"
        result = CliRunner().invoke(configure, ["--org", str(uuid4()), "--url", url])
    assert result.exit_code == EXIT_FAILED
    assert f"{url}: no connection (" in result.output
    assert "nothing is saved: see that --url is right" in result.output


@pytest.mark.parametrize("is_given", [True, False])
def test_without_postgres_a_command_says_by_which_setting_it_was_looked_for(tmp_path: Path, *, is_given: bool) -> None:
    """In one line, with what to do; libpq's own question is left out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"postgresql://referrals@127.0.0.1:{port}/referrals"
    given = {"REFERRALS_DATABASE_URL": url} if is_given else {"PGCONNECT_TIMEOUT": "2"}
    result = run("orgs", "list", env=given | {"REFERRALS_DATA_DIR": str(tmp_path)})
    if is_given or result.returncode:  # some machine has a Postgres at the usual port
        assert result.returncode == EXIT_FAILED
        (line,) = result.stderr.splitlines()
        assert line.startswith("referrals: connection failed: " if is_given else "referrals: connection ")
        assert ("REFERRALS_DATABASE_URL says so" if is_given else "start a Postgres with `referrals up`") in line


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_one_broker_that_is_away_is_not_all_of_them(protocol: str) -> None:
    """Whose name is none, as a dead container's: the others, which are only slow, are waited for."""
    with socket.socket() as slow:
        slow.bind(("127.0.0.1", 0))
        slow.listen()  # takes the connection, and says nothing
        there = f"127.0.0.1:{slow.getsockname()[1]}"
        look = Look(load_settings(bootstrap_servers=f"dead.invalid:9092,{there}", security_protocol=protocol))
        assert not look.answers(1.5)
        assert "dead.invalid:9092 (" in str(look)
        assert "dead.invalid:9092 (no answer)" not in str(look)
        assert not look.is_vain


@pytest.mark.parametrize("component", ["stream", "badges", "counts", "web"])
def test_a_component_that_is_nobody_to_kafka_says_so_at_once(component: str, tmp_path: Path) -> None:
    """With the variables that are missing, and the exit code of a setting; who asks no Kafka goes on."""
    secured = {
        "REFERRALS_BOOTSTRAP_SERVERS": "kafka.invalid:9092",
        "REFERRALS_SECURITY_PROTOCOL": "SASL_SSL",
        "REFERRALS_SASL_MECHANISM": "SCRAM-SHA-512",
        "REFERRALS_DATA_DIR": str(tmp_path),
        "REFERRALS_MONITORING_PORT": "off",
    }
    result = run(component, env=secured)
    assert result.returncode == EXIT_USAGE
    assert "needs REFERRALS_SASL_USERNAME and REFERRALS_SASL_PASSWORD" in result.stderr
    if component == "web":
        assert run("db", "roles", "print", env=secured).returncode == 0


@pytest.mark.parametrize("component", ["web", "stream", "badges", "counts", "mail"])
def test_a_component_says_where_it_looks_for_what_is_away(component: str, tmp_path: Path) -> None:
    """The address that was tried, the setting that says so, and that it is waited for; its log has no other lines."""
    awaited = {"stream": {"kafka_away"}, "mail": {"postgres_away"}}.get(component, {"kafka_away", "postgres_away"})
    log_file = tmp_path / "log"
    with socket.socket() as closed, log_file.open("wb") as log:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        settings = {
            "REFERRALS_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "REFERRALS_DATABASE_URL": f"postgresql://referrals@127.0.0.1:{port}/referrals",
            "REFERRALS_DATA_DIR": str(tmp_path),
            "REFERRALS_WEB_PORT": "0",
            "REFERRALS_MONITORING_PORT": "off",
            "REFERRALS_LOG_FORMAT": "json",
            "REFERRALS_PUBLIC_URL": "https://refer.example",
            "REFERRALS_SMTP_HOST": "127.0.0.1",
            "REFERRALS_MAIL_FROM": "refer@refer.example",
        }
        command = [sys.executable, "-P", "-m", "commands", component]
        env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **settings}
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log) as process:
            try:
                while not all(f'"event":"{event}"' in log_file.read_text() for event in awaited):
                    assert process.poll() is None
                    time.sleep(0.05)
            finally:
                process.kill()
    lines = [json.loads(line) for line in log_file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    said = {line["event"]: line for line in lines if line["event"] in {"kafka_away", "postgres_away"}}
    assert said.keys() == awaited
    assert {each["then"] for each in said.values()} == {"it is waited for"}
    if "kafka_away" in said:
        named = f"127.0.0.1:{port} (Connection refused), which REFERRALS_BOOTSTRAP_SERVERS says"
        assert named in said["kafka_away"]["reason"]
    if "postgres_away" in said:
        reason = said["postgres_away"]["reason"]
        assert f'"127.0.0.1", port {port} failed: Connection refused; REFERRALS_DATABASE_URL says so' in reason


@pytest.mark.parametrize("component", ["web", "stream", "badges", "counts", "mail"])
def test_a_port_that_is_taken_is_said_before_anything_is_waited_for(component: str, tmp_path: Path) -> None:
    """Kafka says nothing, Postgres is away: `web` ends, the others say so and work on."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        settings = {
            "REFERRALS_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "REFERRALS_DATABASE_URL": f"postgresql://referrals@127.0.0.1:{closed.getsockname()[1]}/referrals",
            "REFERRALS_DATA_DIR": str(tmp_path),
            "REFERRALS_WEB_PORT": port,
            "REFERRALS_MONITORING_PORT": port,
            "REFERRALS_LOG_LEVEL": "warning",
            "REFERRALS_LOG_FORMAT": "json",
            "REFERRALS_PUBLIC_URL": "https://refer.example",
            "REFERRALS_SMTP_HOST": "127.0.0.1",
            "REFERRALS_MAIL_FROM": "refer@refer.example",
        }
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "commands", component],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **settings},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stderr is not None
            lines = iter(process.stderr)
            said = next(line for line in lines if '_away"' not in line)  # that is looked for beside
            if component != "web":
                process.kill()
            after = list(lines)
            process.kill()
        if component == "web":
            assert said.startswith(f"referrals: cannot listen at 127.0.0.1:{port}: ")
            assert after == []
            assert process.returncode == EXIT_FAILED
        else:
            assert '"event":"monitoring_port_taken"' in said
            assert "REFERRALS_MONITORING_PORT" in said


def test_ctrl_c_while_it_starts_shows_no_traceback() -> None:
    """Whatever is imported then: the first thing that it does is to take the signal as the system does."""
    code = (
        "import os, signal, sys\n"
        "class Unlucky:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'commands.main': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Unlucky())\n"
        "import runpy\n"
        "runpy.run_module('commands', run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == -signal.SIGINT
    assert result.stderr == ""


def test_a_bad_setting_is_one_line_and_bad_usage() -> None:
    """A bad setting ends with 2 and a line that names it, not with a traceback."""
    result = run("parts", env={"REFERRALS_PARTITIONS": "none"})
    assert result.returncode == EXIT_USAGE
    assert result.stderr.startswith("referrals: REFERRALS_PARTITIONS:")
    assert "Traceback" not in result.stderr


def test_a_signal_at_an_unlucky_moment_has_its_exit_code(tmp_path: Path) -> None:
    """SIGTERM during an import that makes code of text, as dataclasses do, ends with 143 like any other."""
    (tmp_path / "unlucky.py").write_text(
        "import os, signal\n"
        "from commands import main\n"
        "text = 'os.kill(os.getpid(), signal.SIGTERM)\\nwhile True: pass'\n"
        "main.LazyGroup.resolve_command = lambda *_: exec(text)\n"
        "main.main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-m", "unlucky", "any"],
        check=False,
        capture_output=True,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert result.returncode == 128 + signal.SIGTERM


def test_only_known_errors_go_without_a_traceback() -> None:
    """Errors that a user can mend have an exit code; any other keeps its traceback."""
    assert expected_status(SettingsError("x")) == EXIT_USAGE
    assert expected_status(PartsError("x")) == EXIT_FAILED
    assert expected_status(KeyError("x")) is None


def test_a_command_that_is_not_installed_is_not_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The image has no `demo`: its help does not say so, and who asks is told where it is."""
    shutil.copy(main_module.__file__, tmp_path)
    (tmp_path / "stream.py").touch()
    monkeypatch.setattr(main_module, "_FOLDER", tmp_path)
    group = main_module.cli
    assert isinstance(group, main_module.LazyGroup)
    ctx = click.Context(group, info_name="referrals")
    assert group.list_commands(ctx) == ["stream"]
    with pytest.raises(click.UsageError, match=r"`referrals demo` is not in this image.*\./referrals there"):
        group.resolve_command(ctx, ["demo"])
