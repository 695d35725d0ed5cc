"""PostgreSQL over TLS, with the certificates that `compose/make-certificates` makes, as `compose/tls.yaml` uses them."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import psycopg
import pytest

from conftest import ROOT, binary, eventually, plain_environment

PASSWORD = "secret-of-the-owner"


def certificates(folder: pathlib.Path) -> pathlib.Path:
    """New certificates of a CA of their own."""
    shutil.copytree(ROOT / "compose", folder, ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run(["bash", folder / "make-certificates"], check=True, capture_output=True, timeout=60)
    return folder / "secrets/tls"


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="errata-tls-") as name:
        folder = pathlib.Path(name)
        # As root the server runs as another user, who must be able to enter the folder.
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def server(folder):
    """A server that takes connections by TLS alone, with a password; its port."""
    certificate = folder / "server.pem"
    shutil.copyfile(certificates(folder / "compose") / "postgres.pem", certificate)
    certificate.chmod(0o600)
    data = folder / "data"
    data.mkdir(mode=0o700)
    password = folder / "password"
    password.write_text(PASSWORD)
    as_owner = []
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        for path in (certificate, data, password):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        as_owner = ["runuser", "-u", "postgres", "--"]
    programs = subprocess.run(["pg_config", "--bindir"], capture_output=True, check=True, text=True).stdout.strip()
    subprocess.run(
        [*as_owner, f"{programs}/initdb", "-D", data, "-U", "errata", "--auth", "scram-sha-256", f"--pwfile={password}"],
        check=True, capture_output=True, cwd="/",
    )
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.0/8 scram-sha-256\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(folder / "log", "wb") as log:
        running = subprocess.Popen(
            [*as_owner, f"{programs}/postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1,127.0.0.2",
             "-c", "unix_socket_directories=", "-c", "ssl=on", "-c", f"ssl_cert_file={certificate}",
             "-c", f"ssl_key_file={certificate}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
        )

    def answers() -> bool:
        assert running.poll() is None, (folder / "log").read_text()
        try:
            psycopg.connect(
                f"host=127.0.0.1 port={port} user=errata dbname=postgres password={PASSWORD} sslmode=require"
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        eventually(answers, timeout=60, what="the server answers")
        yield port
    finally:
        running.terminate()
        running.wait(timeout=60)


def migrate(port: int, host: str, authority: pathlib.Path, mode: str = "verify-full") -> subprocess.CompletedProcess:
    """Prepares the database; there is no broker, of which it tells afterwards."""
    return subprocess.run(
        [binary("errata"), "migrate"], capture_output=True, text=True, timeout=60,
        env=plain_environment() | {
            "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "ERRATA_POSTGRES_URL": f"postgresql://errata@{host}:{port}/postgres?sslmode={mode}&sslrootcert={authority}",
            "ERRATA_POSTGRES_PASSWORD": PASSWORD,
        },
    )


def test_the_database_is_spoken_to_where_it_proves_who_it_is(server, folder):
    authority = folder / "compose/secrets/tls/ca.pem"
    for host in ("localhost", "127.0.0.1"):
        done = migrate(server, host, authority)
        assert "database: up to date" in done.stdout, done.stderr
    plain = migrate(server, "127.0.0.1", authority, mode="disable")
    assert plain.stdout == "" and "no encryption" in plain.stderr, "the server takes nothing else"


def test_another_name_or_another_authority_is_refused(server, folder):
    done = migrate(server, "127.0.0.2", folder / "compose/secrets/tls/ca.pem")
    assert done.returncode == 1 and done.stdout == ""
    assert "127.0.0.2" in done.stderr and "does not match" in done.stderr
    done = migrate(server, "localhost", certificates(folder / "other") / "ca.pem")
    assert done.returncode == 1 and done.stdout == ""
    assert "certificate verify failed" in done.stderr
    for text in (done.stdout, done.stderr):
        assert PASSWORD not in text
