"""`orgs`, `codes`, `mentors` and `token` as a user runs them, on real Kafka and Postgres."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import psycopg
import pytest
from standardwebhooks import Webhook

from edges.registry.keys import load_or_make_keys
from local.parts import Parts
from operations.topics import create_topics
from process.settings import Settings
from tests.registry import SECRET_KEYS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
MENTOR = "0b000000-0000-4000-8000-000000000001"
OTHER_MENTOR = "0B000000-0000-4000-8000-00000000000A"
NOWHERE = "127.0.0.1:1"


class Shell:
    """Runs commands in an environment of its own."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "100",
            "REFERRALS_DATABASE_URL": settings.database_url,
            "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
            "REFERRALS_SECRET_KEYS": SECRET_KEYS,
            "REFERRALS_DATA_DIR": str(data_dir),
        }

    def run(self, *arguments: str, text: str = "", **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command; `changed` are settings."""
        given = {f"REFERRALS_{name.upper()}": value for name, value in changed.items()}
        return subprocess.run(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=ROOT,
            env=self.environment | given,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def json(self, *arguments: str, **changed: str) -> dict[str, Any]:
        """Run a command that has to succeed, and return what it prints as one line of JSON."""
        done = self.run(*arguments, "--json", **changed)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def new_organisation(self) -> str:
        """Make an organisation and return its id."""
        return str(self.json("orgs", "create", "Ours")["org_id"])


@pytest.fixture
def shell(settings: Settings, tmp_path: Path) -> Shell:
    """Give a shell on Kafka with topics and on a migrated database."""
    create_topics(settings)
    return Shell(settings, tmp_path)


def count(settings: Settings, table: str) -> int:
    """Return the number of rows in a table."""
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608 - a test's own word
    return int(row[0]) if row else 0


def failed(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Return the one line that a command failed with."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.startswith("referrals: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_an_organisation_from_making_to_a_new_secret(shell: Shell) -> None:
    """Made, listed, changed, its secrets replaced; what is printed is what a webhook's sender needs."""
    made = shell.json("orgs", "create", "Ours", "--landing-url", "https://ours.example/join")
    assert set(made) == {"org_id", "webhook_secret"}
    org_id = made["org_id"]
    assert len(Webhook(made["webhook_secret"])._whsecret) == 32  # noqa: SLF001 - it tells it in no other way

    refused = failed(shell.run("orgs", "set", org_id, "--landing-url", "https://☃.example/"), 1)
    assert "is no landing page's address" in refused
    unknown = failed(shell.run("orgs", "set", org_id, "--time-zone", "Oslo"), 1)
    assert "'Oslo' is no time zone that Postgres knows; give one like Europe/Oslo" in unknown
    changed = shell.run("orgs", "set", org_id, "--name", "Blåveis", "--landing-url", "", "--time-zone", "europe/oslo")
    assert changed.stdout == f"{org_id}  Blåveis; links lead to the neutral page; days of Europe/Oslo\n"
    shown = shell.run("orgs", "list").stdout
    assert f"{org_id}  Blåveis\n" in shown
    assert "secrets: code, credential, webhook; days of Europe/Oslo; links lead to the neutral page" in shown
    assert shell.json("orgs", "list")["secrets"] == ["code", "credential", "webhook"]

    replaced = shell.json("orgs", "rotate-secret", org_id)
    assert set(replaced) == {"org_id", "purpose", "webhook_secret", "old_good_until"}
    assert replaced["webhook_secret"] != made["webhook_secret"]
    assert set(shell.json("orgs", "rotate-secret", org_id, "--purpose", "code")) == {
        "org_id",
        "purpose",
        "old_good_until",
    }


def test_secrets_that_are_handed_in(shell: Shell) -> None:
    """From standard input, never as an argument; one that cannot be one is refused without being quoted."""
    org_id = shell.new_organisation()
    rotate = ("orgs", "rotate-secret", org_id, "--secret-file", "-")
    given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert f"webhook_secret: {given}\n" in shell.run(*rotate, text=f"{given}\n").stdout
    said = shell.run(*rotate, "--purpose", "membership", text="hush")
    assert (said.returncode, said.stdout) == (0, f"org_id: {org_id}\npurpose: membership\n")
    assert "hush" not in failed(shell.run(*rotate, text="hush"), 1)
    refused = shell.run("orgs", "rotate-secret", org_id, "--purpose", "membership")
    assert refused.returncode == 2
    assert "give it with --secret-file" in refused.stderr


def test_resealing_with_a_new_key(shell: Shell) -> None:
    """Two keys, reseal, then the new one alone is enough."""
    org_id = shell.new_organisation()
    issue = ("codes", "issue", f"--org={org_id}", f"--mentor={MENTOR}")
    new = "2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert "needs key version 1" in failed(shell.run(*issue, secret_keys=new), 1)
    done = shell.run("orgs", "reseal", secret_keys=f"{new},{SECRET_KEYS}")
    assert done.stdout == "3 secrets encrypted again; all are with key version 2 now\n"
    assert shell.run(*issue, secret_keys=new).returncode == 0


def test_a_link_is_disabled_and_works_again(shell: Shell) -> None:
    """By its code, typed in any way, or by whose it is; again changes nothing, and the code stays the mentor's."""
    org_id = shell.new_organisation()
    whose = (f"--org={org_id}", f"--mentor={MENTOR}")
    code = shell.json("codes", "issue", *whose)["referral_code"]
    disabled = shell.json("codes", "disable", f" {code.lower()} ")
    assert disabled | {"disabled_at": None} == {
        "referral_code": code,
        "org_id": org_id,
        "mentor_id": MENTOR,
        "disabled_at": None,
    }
    assert disabled["disabled_at"].endswith("+00:00")
    assert shell.json("codes", "disable", *whose) == disabled
    assert shell.run("codes", "disable", *whose).stdout.startswith(f"{code}: the link is disabled since 20")
    assert shell.run("codes", "issue", *whose).stdout == f"{code}\n"
    assert shell.run("codes", "disable", code, "--undo").stdout == f"{code}: the link works\n"
    assert "there is no code NEVER00001 here" in failed(shell.run("codes", "disable", "NEVER00001"), 1)
    assert "there is no code of mentor" in failed(shell.run("codes", "disable", whose[0], f"--mentor={org_id}"), 1)
    for arguments in ((), ("x",), (code, *whose), whose[:1], whose[1:]):
        assert shell.run("codes", "disable", *arguments).returncode == 2


def test_a_code_is_issued_once(shell: Shell, settings: Settings) -> None:
    """Printed alone, or with all that is known of it; published when the command ends."""
    org_id = shell.new_organisation()
    issue = ("codes", "issue", f"--org={org_id}", f"--mentor={MENTOR}")
    printed = shell.run(*issue)
    assert printed.stderr == ""
    found = shell.json(*issue, public_url="https://r.example/")
    issued_at = found.pop("issued_at")
    assert issued_at.endswith("+00:00")
    assert found == {
        "referral_code": printed.stdout.strip(),
        "org_id": org_id,
        "mentor_id": MENTOR,
        "is_new": False,
        "share_url": f"https://r.example/r/{printed.stdout.strip()}",
    }
    assert count(settings, "codes_outbox") == 0


def test_kafka_away_is_said_and_no_failure(shell: Shell, settings: Settings) -> None:
    """The code is stored; the next command that issues one publishes both."""
    org_id = shell.new_organisation()
    done = shell.run("codes", "issue", f"--org={org_id}", f"--mentor={MENTOR}", bootstrap_servers=NOWHERE)
    assert done.returncode == 0
    assert f"Kafka at {NOWHERE} does not answer" in done.stderr
    assert "stored, and published by `referrals web`" in done.stderr
    assert count(settings, "codes_outbox") == 1
    shell.run("codes", "issue", f"--org={org_id}", f"--mentor={OTHER_MENTOR}")
    assert count(settings, "codes_outbox") == 0


def test_mentors_are_imported_once(shell: Shell, settings: Settings, tmp_path: Path) -> None:
    """A file of more than a batch, with repetitions; the second time nothing is new. A column `name` names nobody."""
    org_id = shell.new_organisation()
    mentors = [str(uuid4()) for _ in range(1_500)]
    file = tmp_path / "mentors.csv"
    file.write_text("\ufeffname;mentor_id\n" + "".join(f"x;{each}\n" for each in [*mentors, *mentors[:10]]))
    first = shell.run("mentors", "import", str(file), f"--org={org_id}")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("read 1,510 mentors in ")
    assert "1,500 new, each with a code made; 0 changed, 10 unchanged; 0 rows left out" in first.stdout
    assert first.stdout.endswith("no names are kept: the file has no column display_name\n")
    again = shell.run("mentors", "import", str(file), f"--org={org_id}")
    assert "0 new, each with a code made; 0 changed, 1,510 unchanged; 0 rows left out" in again.stdout
    assert (count(settings, "referral_codes"), count(settings, "mentor_names")) == (1_500, 0)


def test_names_are_kept_changed_and_erased(shell: Shell, settings: Settings) -> None:
    """In Postgres alone; a hostile name leaves its row out and is not repeated; an empty one leaves nothing behind."""
    org_id = shell.new_organisation()

    def bring(*rows: str, header: str = "Mentor-ID;Display name;Region") -> subprocess.CompletedProcess[str]:
        return shell.run("mentors", "import", "-", f"--org={org_id}", text="\n".join((header, *rows)))

    def kept() -> list[tuple[Any, ...]]:
        with psycopg.connect(settings.database_url) as connection:
            return connection.execute(
                "SELECT display_name, group_name, array_agg(name_key ORDER BY name_key) FROM mentor_names "
                "LEFT JOIN mentor_name_keys USING (org_id, mentor_id) GROUP BY 1, 2 ORDER BY 1"
            ).fetchall()

    first = bring(f"{MENTOR}; Åse  Bjørk ;Nord", f"{OTHER_MENTOR};evil\u202ename;", f"{org_id};Per;")
    assert first.returncode == 1
    assert "2 new, each with a code made; 0 changed, 0 unchanged; 1 row left out" in first.stdout
    assert first.stderr == (
        "standard input:3: display_name has an invisible character, or one that turns the direction of text\n"
    )
    assert kept() == [("Per", None, ["per"]), ("Åse Bjørk", "Nord", ["ase bjork", "bjork ase"])]
    assert "0 new, each with a code made; 0 changed, 1 unchanged" in bring(f"{MENTOR};Åse Bjørk;Nord").stdout
    assert "0 changed, 1 unchanged" in bring(MENTOR, header="mentor_id").stdout
    assert "1 changed" in bring(f"{MENTOR};Åse Berg", header="mentor_id;display_name").stdout
    assert kept() == [("Per", None, ["per"]), ("Åse Berg", "Nord", ["ase berg", "berg ase"])]
    assert "2 changed, 0 unchanged" in bring(f"{MENTOR};;", f"{org_id};;Sør").stdout
    assert (kept(), count(settings, "mentor_name_keys")) == ([], 0)
    assert "more than one column" in bring(MENTOR, header="mentor_id;display_name;group;region").stderr
    with psycopg.connect(settings.database_url) as connection:
        (codes,) = connection.execute("SELECT count(*) FROM referral_codes").fetchone() or (None,)
    assert codes == 2


def test_a_file_that_is_not_unicode(shell: Shell, settings: Settings, tmp_path: Path) -> None:
    """As Excel writes plain CSV in Norway: refused with what to do, and read where somebody says what it is."""
    org_id = shell.new_organisation()
    file = tmp_path / "mentors.csv"
    file.write_bytes(f"Mentor-ID;Display name\r\n{MENTOR};Åse Bjørk\r\n".encode("cp1252"))
    refused = shell.run("mentors", "import", str(file), f"--org={org_id}")
    assert refused.returncode == 1
    assert "mentors.csv:2: display_name has letters that are not UTF-8" in refused.stderr
    assert refused.stderr.endswith("--encoding cp1252\n")
    assert shell.run("mentors", "import", str(file), f"--org={org_id}", "--encoding=cp1252").returncode == 0
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT display_name FROM mentor_names").fetchall() == [("Åse Bjørk",)]
    unknown = shell.run("mentors", "import", str(file), f"--org={org_id}", "--encoding=rot13")
    assert unknown.returncode == 2
    assert "there is no encoding of text called 'rot13'" in unknown.stderr


def test_bad_lines_are_numbered_and_skipped(shell: Shell, settings: Settings) -> None:
    """From standard input; exit code 1, and the good lines are in."""
    org_id = shell.new_organisation()
    text = f"mentor_id\n{MENTOR}\nnonsense\n\n{OTHER_MENTOR}\n"
    done = shell.run("mentors", "import", "-", f"--org={org_id}", text=text)
    assert done.returncode == 1
    assert done.stderr == "standard input:3: mentor_id is not a UUID\n"
    assert "2 new, each with a code made; 0 changed, 0 unchanged; 1 row left out" in done.stdout
    assert count(settings, "mentors") == 2


def test_a_file_without_the_column(shell: Shell, settings: Settings) -> None:
    """Nothing is imported."""
    done = shell.run("mentors", "import", "-", f"--org={shell.new_organisation()}", text=f"{MENTOR}\n")
    assert done.returncode == 1
    assert "standard input: the first line must be a header with one column mentor_id" in done.stderr
    assert count(settings, "mentors") == 0


def test_import_without_the_organisation(shell: Shell) -> None:
    """One line with the remedy."""
    done = shell.run("mentors", "import", "-", f"--org={MENTOR}", text=f"mentor_id\n{MENTOR}\n")
    assert f"referrals orgs create NAME --org-id {MENTOR}" in failed(done, 1)


def test_what_is_missing_is_one_line(shell: Shell, parts: Parts) -> None:
    """Keys, tables, server: each with its remedy and no traceback."""
    without_keys = shell.run("orgs", "create", "Ours", secret_keys="")
    assert "REFERRALS_SECRET_KEYS: not set" in failed(without_keys, 2)
    empty = parts.create_database(f"test_{uuid4().hex}")
    for command in (
        ("orgs", "list"),
        ("orgs", "create", "Ours"),
        ("codes", "issue", f"--org={MENTOR}", f"--mentor={MENTOR}"),
    ):
        assert "run: referrals db migrate" in failed(shell.run(*command, database_url=empty), 1)
    with psycopg.connect(parts.postgres.maintenance_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE without_rights LOGIN PASSWORD 'secret'")
    address = urlsplit(shell.environment["REFERRALS_DATABASE_URL"])
    of_nobody = address._replace(netloc=f"without_rights:secret@{address.hostname}:{address.port}").geturl()
    assert "must name the user who owns the tables" in failed(shell.run("orgs", "list", database_url=of_nobody), 1)
    away = shell.run("orgs", "list", database_url="postgresql://127.0.0.1:1/referrals")
    assert (away.returncode, "Traceback" in away.stderr) == (1, False)


def test_keys_of_the_data_directory(shell: Shell, tmp_path: Path) -> None:
    """Beside `referrals up` no setting is needed: what it keeps there encrypts, and signs."""
    keys = load_or_make_keys(tmp_path)
    unset: Mapping[str, str] = {"secret_keys": "", "jwt_secret": ""}
    org_id = shell.json("orgs", "create", "Ours", **unset)["org_id"]
    done = shell.run("token", f"--org={org_id}", "--role=mentor", f"--subject={MENTOR}", "--ttl=2m", **unset)
    claims = jwt.decode(
        done.stdout.strip(), keys.jwt_secret, algorithms=["HS256"], issuer="referrals", audience="referrals"
    )
    assert claims.pop("exp") - claims.pop("iat") == 120
    assert claims == {"sub": MENTOR, "org": org_id, "role": "mentor", "iss": "referrals", "aud": "referrals"}
