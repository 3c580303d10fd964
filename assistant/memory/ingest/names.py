"""Pure: which format a file is in, by its name; and which names are of keys and passwords."""

from __future__ import annotations

import fnmatch
from typing import Literal

Format = Literal[
    "text", "markdown", "html", "pdf", "docx", "mail", "mbox", "calendar", "contacts", "code"
]

_SUFFIXES: dict[Format, str] = {
    "text": "txt text rst org adoc asciidoc tex csv tsv srt vtt bib",
    "markdown": "md markdown mdown mkd mdx",
    "html": "html htm xhtml",
    "pdf": "pdf",
    "docx": "docx docm dotx",
    "mail": "eml",
    "mbox": "mbox mbx",
    "calendar": "ics ical ifb icalendar",
    "contacts": "vcf vcard",
    "code": (
        "py pyi pyx js mjs cjs ts mts jsx tsx vue svelte c h cc cpp cxx hpp hh hxx m mm java kt kts "
        "scala groovy gradle go rs rb php pl pm r jl lua swift dart cs fs fsx vb ex exs erl hrl hs lhs clj "
        "cljs edn elm ml mli nim zig v sv vhd vhdl asm s sql sh bash zsh fish ps1 bat cmd awk sed css scss "
        "sass less xml xsd xsl json json5 jsonl ndjson yaml yml toml ini cfg conf properties proto graphql "
        "gql tf hcl cmake mk dockerfile makefile el lisp scm rkt tcl f f90 f95 pas ada adb ads d cr sol"
    ),
}
_BY_SUFFIX: dict[str, Format] = {
    suffix: known for known, suffixes in _SUFFIXES.items() for suffix in suffixes.split()
}
_WHOLE_NAMES: dict[str, Format] = {
    "readme": "text", "license": "text", "licence": "text", "copying": "text", "authors": "text",
    "changelog": "text", "changes": "text", "news": "text", "todo": "text", "notice": "text",
    "makefile": "code", "dockerfile": "code", "gemfile": "code", "rakefile": "code", "justfile": "code",
    "cmakelists.txt": "code", "mbox": "mbox",
}  # fmt: skip

_SECRET_NAMES = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.p8", "*.jks", "*.keystore", "*.kdbx",
    "*.kdb", "*.psafe3", "*.opvault", "*.agilekeychain", "*.1pux", "*.1pif", "*.keychain",
    "*.keychain-db", "*.gpg", "*.pgp", "*.age", "*.ppk", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*",
    "id_ed25519*", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".htpasswd",
    ".git-credentials", "credentials", "credentials.*", "*credentials.json", "secrets",
    "secrets.*", "secret.*", "*.secret", "*.secrets", "client_secret*.json", "service-account*.json",
    "service_account*.json", "*.tfstate",
    "*.tfstate.*", "*.tfvars", "passwords.*", "password.*", "passwords", "*passwords*.csv", "logins.json",
    "key[34].db", "wallet.dat", "*.token", ".vault-token", "shadow", "recovery-key*", "*recovery-codes*",
    "*recovery codes*", "database.key",
)  # fmt: skip
_SECRET_FOLDERS = frozenset({
    ".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".kube", ".docker", ".password-store", ".keepass",
    ".mozilla", ".thunderbird", ".pki", ".cert", "keychains", ".vault", ".bitcoin", ".ethereum",
    ".electrum", "keyrings", ".1password", "1password", ".bitwarden", "bitwarden",
})  # fmt: skip
MADE_BY_PROGRAMS = frozenset({
    "node_modules", "__pycache__", "venv", "site-packages", "bower_components", "$recycle.bin",
    "system volume information", "lost+found",
})  # fmt: skip
"""Folders that nobody writes by hand."""


def format_of(name: str) -> Format | None:
    """The format of a file of this name; None: not one we read."""
    low = name.lower()
    if whole := _WHOLE_NAMES.get(low):
        return whole
    return _BY_SUFFIX.get(low.rpartition(".")[2]) if "." in low else None


def is_secret_file(name: str) -> bool:
    """Whether a file of this name is one that keeps keys or passwords."""
    low = name.lower()
    return any(fnmatch.fnmatchcase(low, pattern) for pattern in _SECRET_NAMES)


def is_secret_folder(name: str) -> bool:
    """Whether a folder of this name is one that keeps keys or passwords."""
    return name.lower() in _SECRET_FOLDERS or is_secret_file(name)


def is_secret_path(parts: tuple[str, ...]) -> bool:
    """Whether any folder on the way, or what is at its end, is one that keeps keys or passwords."""
    return any(part.lower() in _SECRET_FOLDERS for part in parts) or is_secret_folder(parts[-1])
