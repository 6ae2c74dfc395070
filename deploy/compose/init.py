"""`make init`: `.env` and the secrets, each made once; what is there already is kept as it is."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from deploy.compose import environment, facts, files, questions, secret_files
from deploy.compose.environment import Values
from deploy.compose.terminal import painted, refuse, say, wrapped

FEW = 5  # names of files that are read rather than counted
RELEASES = re.compile(r"v?\d[0-9A-Za-z.+-]*")


def version_of(root: Path) -> str:
    """Return the release that is checked out: the tag, else what the project says of itself."""
    command = ["git", "-C", str(root), "describe", "--tags", "--exact-match"]
    try:
        tag = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        tag = ""
    if RELEASES.fullmatch(tag):
        return tag.lstrip("v")
    found = re.search(r'^version = "([^"]+)"', files.text_of(root / "pyproject.toml"), re.MULTILINE)
    return found[1] if found else "0"


def split_mail(url: str) -> tuple[str, str]:
    """Return a mail server's address without the password, and the password."""
    parts = urlsplit(url)
    if not parts.password:
        return url, ""
    server = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{server}")), unquote(parts.password)


def answers(root: Path, surroundings: Mapping[str, str], *, attended: bool) -> Values:
    """Return the answers to what `.env` does not say yet: from the environment, then from the terminal."""
    known = environment.read(files.text_of(root / files.ENVIRONMENT))
    open_questions = tuple(one for one in questions.questions() if one.name not in known)
    given = questions.from_environment(open_questions, surroundings)
    left = tuple(one for one in open_questions if one.name not in given)
    if attended and left:
        say(f"{len(left)} question{'s' if len(left) > 1 else ''}; Ctrl-C leaves everything as it is.\n")
        return given | questions.ask(left, input, say)
    return {one.name: one.otherwise or (questions.NOBODY if one.check("") else "") for one in left} | given


def write(root: Path, given: Values) -> tuple[list[str], list[str]]:
    """Make what is missing; returns the names of what was made and of what was there."""
    url, mail_password = split_mail(given.get("TAMGA_SMTP_URL", ""))
    given = given | {"TAMGA_SMTP_URL": url}
    if "TAMGA_DOMAIN" in given:
        given["TAMGA_DOMAIN"] = given["TAMGA_DOMAIN"].lower()  # as browsers say it
    if url:
        given |= {environment.CHOICE: f"{files.COMPOSE}:{environment.MAIL_FILE}"}
    text = files.text_of(root / files.ENVIRONMENT)
    here = environment.read(text) | given
    wanted = environment.variables(
        version_of(root),
        domain=here.get("TAMGA_DOMAIN") or "localhost",
        time_zone=here.get("TAMGA_TIME_ZONE") or "UTC",
        operator=here.get("TAMGA_OPERATOR_EMAIL") or questions.NOBODY,
        chosen=given.get(environment.CHOICE, files.COMPOSE),
    )
    needed = environment.needs(environment.compose_text(environment.every_compose_file(root)))
    filled = {one.name: one.value for one in wanted if one.name in needed.required} | given
    folder = root / files.SECRETS
    names = secret_files.wanted(needed.secrets)
    there = [name for name in names if (folder / name).exists()]
    folder.mkdir(mode=secret_files.FOLDER_MODE, exist_ok=True)
    made = []
    if mail_password and files.add(folder / secret_files.MAIL, mail_password, secret_files.FILE_MODE):
        made.append(secret_files.MAIL)
    made += secret_files.complete(folder, names)
    # Last: with an .env the questions count as answered.
    complete = environment.completed(text, wanted, filled)
    if complete != text:
        files.put(root / files.ENVIRONMENT, complete, 0o644)
        made.insert(0, files.ENVIRONMENT)
    else:
        there.insert(0, files.ENVIRONMENT)
    return made, there


def listed(names: list[str]) -> str:
    """Return the names of files in a line or two; of many secrets only how many they are."""
    secrets = [name for name in names if name != files.ENVIRONMENT]
    shown = [files.ENVIRONMENT] if files.ENVIRONMENT in names else []
    many = [f"{len(secrets)} files in {files.SECRETS}/"]
    return ", ".join([*shown, *(many if len(secrets) > FEW else [f"{files.SECRETS}/{one}" for one in secrets])])


def report(root: Path, made: list[str], kept: list[str]) -> None:
    """Say what was made, what was kept, and what to do with it."""
    for words, names in (("made", made), ("kept", kept)):
        if names:
            for line in wrapped(listed(names), 7, words):
                say(line)
    say()
    if secret_files.BACKUP in made:
        for line in wrapped(
            f"Copy {root / files.SECRETS / secret_files.BACKUP} to a safe place outside this machine now:"
            " without it nobody can read a backup, you neither.",
            0,
        ):
            say(painted(line, "bold"))
        say()
    if secret_files.BACKUP in made and facts.has_data(root, "backups"):
        say("Backups made before are sealed with the key that was here: they need your copy of that one.\n")
    names = [name for name in (*made, *kept) if name != files.ENVIRONMENT]
    for name, problem in secret_files.problems(root / files.SECRETS, names).items():
        say(painted(f"secrets/{name} {problem}: `make doctor` says what to do.", "yellow"))
    say("Next: `make up`. To change an answer, edit .env and run `make up` again.")


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make init`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make init", description="Make .env and secrets/, once.")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take the environment's answers and my own")
    attended = not parser.parse_args(arguments).yes and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        made, kept = write(root, answers(root, os.environ, attended=attended))
    except (KeyboardInterrupt, EOFError):
        refuse("\nStopped: run `make init` again, it goes on where it was.")
        return 130
    except (questions.AnswerError, secret_files.SecretError, ValueError) as error:
        refuse(str(error))
        return 1
    except OSError as error:
        refuse(f"{error.filename or root}: {error.strerror}: run `make init` as the owner of this folder.")
        return 1
    report(root, made, kept)
    return 0
