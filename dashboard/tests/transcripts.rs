//! Sessions of an operator: commands in, transcript out. The transcripts are files under
//! `tests/transcripts`; `BLESS=1 cargo test -p dashboard` writes them anew, and the diff is what to
//! argue for.
//!
//! In a transcript `$ ` begins a command, `2> ` what it wrote to stderr, and `= ` says its exit
//! code when that is not 0. Addresses of the fake fleet have names.

#[expect(
    dead_code,
    unreachable_pub,
    reason = "each test uses a part of what the tests of the faces share"
)]
mod support;

use std::fmt::Write;
use std::path::Path;

use support::{Fake, shell};

/// Files that the sessions use.
const FILES: [(&str, &str); 5] = [
    (
        "hello.toml",
        "name = \"hello\"\nreplicas = 2\n\n[artifact.command]\nprogram = \"sleep\"\n\
         args = [\"60\"]\n",
    ),
    (
        "misspelt.toml",
        "name = \"hello\"\nreplicsa = 2\n\n[artifact.command]\nprogram = \"sleep\"\n",
    ),
    ("broken.toml", "name = \"hello\nreplicas = 2\n"),
    (
        "missing.toml",
        "name = \"hello\"\nreplicas = 2\n\n[artifact.cargo]\n\
         manifest_path = \"/nowhere/Cargo.toml\"\nbin_name = \"hello\"\n",
    ),
    (
        "slow.toml",
        "name = \"hello\"\nreplicas = 2\n\n[artifact.command]\nprogram = \"slow\"\n",
    ),
];

/// Runs every command of a transcript against a fresh fake fleet, and compares.
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let expected = std::fs::read_to_string(&path).expect("the transcript is there");
    let fake = Fake::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (file, text) in FILES {
        std::fs::write(folder.path().join(file), text).expect("the folder can be written");
    }
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    for file in std::fs::read_dir(files)
        .expect("the folder is there")
        .flatten()
    {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    let mut actual = String::new();
    for line in expected.lines() {
        if line.starts_with("# ") {
            let _ = writeln!(actual, "{line}");
        } else if let Some(command) = line.strip_prefix("$ ") {
            let _ = writeln!(actual, "{line}\n{}", run(&fake, folder.path(), command));
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &actual).expect("the transcript can be written");
    }
    assert!(
        actual == expected || std::env::var_os("BLESS").is_some(),
        "{} is no longer so; BLESS=1 writes it anew. It is now:\n{actual}",
        path.display()
    );
}

fn run(fake: &Fake, folder: &Path, command: &str) -> String {
    let command = command.replace("<echo>", &fake.echo().to_string());
    let output = shell(fake, folder, &command);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let _ = writeln!(text, "2> {line}");
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => {
            let _ = writeln!(text, "= {code}");
        }
        None => text.push_str("= ended by a signal\n"),
    }
    let named = [
        (fake.scheduling(), "<scheduling>"),
        (fake.discovery(), "<discovery>"),
        (fake.echo(), "<echo>"),
    ];
    for (address, name) in named {
        text = text.replace(&address.to_string(), name);
    }
    text
}

#[test]
fn looking_at_the_fleet() {
    check("look.txt");
}

#[test]
fn changing_what_is_wished_for() {
    check("change.txt");
}

#[test]
fn specs_are_checked_before_anything_is_sent_and_pointed_into() {
    check("specs.txt");
}

#[test]
fn calling_any_procedure_in_json() {
    check("call.txt");
}

#[test]
fn every_exit_code_has_its_case() {
    check("exit-codes.txt");
}

#[test]
fn what_follows_into_a_pipe() {
    check("pipes.txt");
}

#[test]
fn help_names_the_verbs_and_the_exit_codes() {
    check("help.txt");
}

#[test]
fn passes_without_a_fleet() {
    check("passes.txt");
}

#[test]
fn passes_are_predicted_and_planned_without_a_fleet() {
    check("planning.txt");
}
