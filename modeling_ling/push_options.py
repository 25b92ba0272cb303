"""Where a command pushes what it made: `--push-to ORG/NAME [--public] [--revision BRANCH] [--tag TAG]`.

What would be refused at the end is refused at the start: a malformed name, no token, a token that only reads, or one of
somebody who may not write there. A build takes hours, and its push is the last thing it does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modeling_ling.hub_calls import TOKEN_PAGE, PublishRefusedError, connect, retried
from modeling_ling.publishing import check_repo_id, check_revision

READERS = {"read", "viewer"}


@dataclass(frozen=True)
class PushTarget:
    """Where on the Hub, and how.

    Args:
        repo_id (`str`): `namespace/name`.
        private (`bool`): visibility of a repository that is created.
        revision (`str`, *optional*): branch, created from main when missing.
        tag (`str`, *optional*): name that the pushed commit gets.
    """

    repo_id: str
    private: bool = True
    revision: str | None = None
    tag: str | None = None


def add_push_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--push-to", metavar="ORG/NAME", help="publish on the Hub, private by default; hf auth login first"
    )
    parser.add_argument("--public", action="store_true", help="a repository that is created can be read by everyone")
    parser.add_argument("--revision", metavar="BRANCH", help="push to this branch, made from main when missing")
    parser.add_argument("--tag", help="give the pushed commit this name, such as v1.0")


def push_target(options: argparse.Namespace) -> PushTarget | None:
    """Return where the options push to, having asked the Hub whether the token may; None where they do not push.

    Raises:
        ValueError: an option without `--push-to`, or a name that the Hub does not take.
        PublishError: the token may not write there, or the Hub cannot be reached.
    """
    if not options.push_to:
        given = [name for name in ("public", "revision", "tag") if getattr(options, name)]
        if given:
            raise ValueError(f"--{given[0]} is of a push: add --push-to ORG/NAME")
        return None
    target = PushTarget(options.push_to, not options.public, options.revision, options.tag)
    try:
        check_repo_id(target.repo_id)
    except ValueError as error:
        raise ValueError(f"--push-to: {error}") from None
    for name in (target.revision, target.tag):
        check_revision(name)
    check_right_to_write(target.repo_id)
    return target


def check_right_to_write(repo_id: str, endpoint: str | None = None) -> None:
    """Ask the Hub who the token's owner is, and raise where they may not write to a repository's namespace.

    Raises:
        PublishRefusedError: there is no token, or it cannot write there.
        PublishError: the Hub cannot be reached.

    Source: the answer of the Hub's `whoami-v2`, as huggingface_hub 1.x reads it.
    """
    api = connect(endpoint)
    namespace = repo_id.split("/")[0]
    owner = retried(lambda: api.whoami(), f"to {repo_id}")
    name = owner.get("name", "")
    token = owner.get("auth", {}).get("accessToken", {})
    organizations = {org["name"]: org for org in owner.get("orgs", [])}
    advice = f"Make one with write permission for it at {TOKEN_PAGE}, and run `hf auth login` with it."
    if token.get("role") == "read":
        raise PublishRefusedError(f"The token of {name} only reads, so {repo_id} cannot be pushed. {advice}")
    if token.get("role") == "fineGrained":
        if not _may_write(token.get("fineGrained", {}), repo_id):
            raise PublishRefusedError(f"The token of {name} has no write permission for {repo_id}. {advice}")
    elif namespace != name and namespace not in organizations:
        known = ", ".join([name, *organizations])
        raise PublishRefusedError(f"{name} may not write to {namespace}. Push to one of: {known}.")
    if organizations.get(namespace, {}).get("roleInOrg") in READERS:
        raise PublishRefusedError(f"{name} only reads in {namespace}: ask there for the right to write.")


def _may_write(permissions: Mapping[str, Any], repo_id: str) -> bool:
    """Whether a fine-grained token writes to a repository, or to all of its namespace."""
    scoped: Iterable[Mapping[str, Any]] = permissions.get("scoped", [])
    names = {repo_id, repo_id.split("/")[0]}
    return any(
        scope.get("entity", {}).get("name") in names and "repo.write" in scope.get("permissions", ())
        for scope in scoped
    )
