//! The rules of `cargo xtask tidy`, each shown on the smallest workspace that keeps or breaks it.

use std::path::Path;

use tempfile::TempDir;
use xtask::tidy;

const PURE: &str = r#"
disallowed-methods = ["std::time::Instant::now", { path = "std::time::SystemTime::now" }]
disallowed-types = ["std::collections::HashMap", "std::collections::HashSet"]
"#;

/// A workspace in a temporary folder that ends with it.
struct Tree(TempDir);

impl Tree {
    /// One crate for each of `crates`: its folder, and the tables of its manifest.
    fn new(crates: &[(&str, &str)], files: &[(&str, &str)]) -> Tree {
        let tree = Tree(TempDir::new().expect("a temporary folder"));
        let members: Vec<String> = crates.iter().map(|(path, _)| format!("{path:?}")).collect();
        let members = members.join(", ");
        tree.write(
            "Cargo.toml",
            &format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]"),
        );
        for (path, tables) in crates {
            let name = path.rsplit('/').next().unwrap_or(path);
            let package = format!("[package]\nname = {name:?}\nedition = \"2024\"\n");
            tree.write(&format!("{path}/Cargo.toml"), &format!("{package}{tables}"));
            tree.write(&format!("{path}/src/lib.rs"), "//! A crate.\n");
        }
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("create the folder");
        std::fs::write(path, text).expect("write the file");
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).expect("read the file")
    }

    /// Rewrites the golden files, so that only what a test is about is found.
    fn bless(self) -> Tree {
        tidy::run(self.path(), true);
        self
    }

    /// What tidy finds: `path:line: rule: what`, without the advice.
    fn findings(&self) -> Vec<String> {
        let findings = tidy::run(self.path(), false);
        let first = |text: String| text.lines().next().unwrap_or_default().to_string();
        findings
            .iter()
            .map(|finding| first(finding.to_string()))
            .collect()
    }
}

/// One crate `echo` with these files breaks exactly these rules.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let tree = Tree::new(&[("echo", "")], files).bless();
    assert_eq!(tree.findings(), expected);
}

/// Crates with these dependencies break exactly these rules.
fn check_arrows(crates: &[(&str, &str)], expected: &[&str]) {
    let tree = Tree::new(crates, &[("decisions/model/clippy.toml", PURE)]).bless();
    assert_eq!(tree.findings(), expected);
}

fn long_function(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    let _ = 1;\n".repeat(lines - 2))
}

#[test]
fn a_function_has_at_most_70_lines_and_tests_are_apart() {
    check(&[("echo/src/a.rs", &long_function(70))], &[]);
    check(
        &[("echo/src/a.rs", &long_function(71))],
        &["echo/src/a.rs:1: function-lines: `long` has 71 lines, at most 70"],
    );
    check(&[("echo/tests/a.rs", &long_function(71))], &[]);
    let module = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", long_function(71));
    check(&[("echo/src/a.rs", &module)], &[]);
    let method = format!("struct S;\nimpl S {{\n{}}}\n", long_function(80));
    check(
        &[("echo/src/a.rs", &method)],
        &["echo/src/a.rs:3: function-lines: `long` has 80 lines, at most 70"],
    );
}

#[test]
fn files_have_at_most_500_lines_a_lib_300_and_a_main_60() {
    check(&[("echo/src/a.rs", &"// x\n".repeat(500))], &[]);
    check(
        &[
            ("echo/src/a.rs", &"// x\n".repeat(501)),
            ("echo/src/lib.rs", &"// x\n".repeat(301)),
            ("echo/src/main.rs", &"// x\n".repeat(61)),
            ("echo/src/tests.rs", &"// x\n".repeat(900)),
        ],
        &[
            "echo/src/a.rs: file-lines: 501 lines without tests, at most 500",
            "echo/src/lib.rs: lib-lines: 301 lines without tests, at most 300",
            "echo/src/main.rs: main-lines: 61 lines without tests, at most 60",
        ],
    );
    let mostly_tests = format!(
        "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
        "// x\n".repeat(400),
        "\n".repeat(400)
    );
    check(&[("echo/src/a.rs", &mostly_tests)], &[]);
}

#[test]
fn a_line_has_at_most_100_columns_unless_it_holds_an_address() {
    let wide = "x".repeat(98);
    check(
        &[("echo/src/a.rs", &format!("// {wide}\n// https://{wide}\n"))],
        &["echo/src/a.rs:1: columns: 101 columns, at most 100"],
    );
}

#[test]
fn a_file_that_does_not_parse_is_reported_and_the_others_are_still_checked() {
    check(
        &[
            ("echo/src/a.rs", "fn broken( {\n"),
            ("echo/src/b.rs", &long_function(71)),
        ],
        &[
            "echo/src/a.rs:1: parse: this file does not parse: cannot parse string into \
             token stream",
            "echo/src/b.rs:1: function-lines: `long` has 71 lines, at most 70",
        ],
    );
}

#[test]
fn a_manifest_that_cargo_cannot_read_is_one_finding() {
    let tree = Tree::new(&[("echo", "nonsense")], &[]);
    let findings = tree.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].starts_with("Cargo.toml: workspace: cargo cannot read"),
        "{findings:?}"
    );
}

#[test]
fn an_exception_with_a_reason_excuses_and_one_that_excuses_nothing_fails() {
    let excuse = "# why not\nfunction-lines echo/src/a.rs::long: one table, read top to bottom\n";
    let long = long_function(71);
    check(
        &[("echo/src/a.rs", &long), ("docs/exceptions.txt", excuse)],
        &[],
    );
    check(
        &[("docs/exceptions.txt", excuse)],
        &["docs/exceptions.txt:2: exception: `function-lines echo/src/a.rs::long` excuses nothing"],
    );
    check(
        &[("docs/exceptions.txt", "columns echo/src/a.rs\n")],
        &["docs/exceptions.txt:1: exception: this line is not `rule subject: reason`"],
    );
}

#[test]
fn only_the_codec_names_bincode_and_comments_and_strings_may() {
    check(
        &[(
            "echo/src/a.rs",
            "// bincode::encode\nconst A: &str = \"bincode::encode\";\n",
        )],
        &[],
    );
    let code = "fn a() {\n    bincode::encode();\n}\nuse bincode as b;\n";
    check(
        &[("echo/src/a.rs", code)],
        &[
            "echo/src/a.rs:2: bincode: bincode outside its one file",
            "echo/src/a.rs:4: bincode: bincode outside its one file",
        ],
    );
    let user = "[dependencies]\nbincode = { path = \"../bincode\" }";
    let library = (
        "bincode/Cargo.toml",
        "[package]\nname = \"bincode\"\nedition = \"2024\"\n",
    );
    let members = [("echo", user), ("rpc", user), ("bincode", "")];
    let findings = Tree::new(&members, &[library]).bless().findings();
    assert!(
        findings
            .contains(&"echo/Cargo.toml:5: bincode: echo depends on bincode, only rpc may".into()),
        "{findings:?}"
    );
    assert!(
        !findings.iter().any(|finding| finding.starts_with("rpc/")),
        "{findings:?}"
    );
    let tree = Tree::new(&[("rpc", "")], &[("rpc/src/codec.rs", code)]).bless();
    assert_eq!(tree.findings(), [""; 0]);
}

#[test]
fn nothing_is_unfinished_and_no_test_is_ignored() {
    let code =
        "#[test]\n#[ignore]\nfn a() {}\nfn b() {\n    todo!()\n}\n/// ```ignore\nfn c() {}\n";
    check(
        &[("echo/src/a.rs", code)],
        &[
            "echo/src/a.rs:2: ignored-test: an ignored test",
            "echo/src/a.rs:5: todo: unfinished code",
            "echo/src/a.rs:7: ignored-test: an example that is not compiled",
        ],
    );
}

#[test]
fn a_test_sleeps_only_while_it_polls_a_condition_or_says_why() {
    let lucky = "fn a() {\n    std::thread::sleep(MS);\n}\n";
    check(&[("echo/src/a.rs", lucky)], &[]);
    check(
        &[("echo/tests/a.rs", lucky)],
        &["echo/tests/a.rs:2: sleep-in-test: a test sleeps for luck"],
    );
    let imported = "use tokio::time::sleep;\nasync fn a() {\n    sleep(MS).await;\n}\n";
    check(
        &[("echo/tests/a.rs", imported)],
        &["echo/tests/a.rs:3: sleep-in-test: a test sleeps for luck"],
    );
    let others = "async fn sleep() {\n    client.sleep(MS).await;\n    lab::sleep(MS);\n}\n";
    check(&[("echo/tests/a.rs", others)], &[]);
    let polls = "fn a() {\n    while !done() {\n        if x {}\n        sleep(MS);\n    }\n}\n";
    check(&[("echo/tests/a.rs", polls)], &[]);
    let after = "fn a() {\n    loop { break }\n    sleep(MS);\n}\n";
    check(
        &[("echo/tests/a.rs", after)],
        &["echo/tests/a.rs:3: sleep-in-test: a test sleeps for luck"],
    );
    let reasoned = "fn a() {\n    sleep(MS); // why: the clock is virtual here\n}\n";
    check(&[("echo/tests/a.rs", reasoned)], &[]);
}

#[test]
fn arrows_point_down() {
    let on_model = "[dependencies]\nmodel = { path = \"../decisions/model\" }";
    check_arrows(&[("decisions/model", ""), ("scheduling", on_model)], &[]);
    check_arrows(
        &[
            (
                "decisions/model",
                "[dependencies]\nrpc = { path = \"../../rpc\" }",
            ),
            ("rpc", ""),
        ],
        &[
            "decisions/model/Cargo.toml:5: arrows: model -> rpc: it points up, from Vocabulary to \
           Mechanism",
        ],
    );
    check_arrows(
        &[("decisions/model", ""), ("store", on_model)],
        &["store/Cargo.toml:5: arrows: store -> model: store stands alone"],
    );
}

#[test]
fn services_use_each_other_but_discovery_none_and_nobody_uses_proof() {
    let on_discovery = "[dependencies]\ndiscovery = { path = \"../discovery\" }";
    check_arrows(&[("discovery", ""), ("echo", on_discovery)], &[]);
    check_arrows(
        &[
            ("discovery", "[dependencies]\necho = { path = \"../echo\" }"),
            ("echo", ""),
        ],
        &[
            "discovery/Cargo.toml:5: arrows: discovery -> echo: discovery needs no other \
             service, ever",
        ],
    );
    check_arrows(
        &[
            ("simulation", ""),
            (
                "echo",
                "[dependencies]\nsimulation = { path = \"../simulation\" }",
            ),
        ],
        &[
            "echo/Cargo.toml:5: arrows: echo -> simulation: nothing depends on proof, and \
             simulation is proof",
        ],
    );
}

#[test]
fn a_circle_is_found_through_dev_dependencies_too() {
    check_arrows(
        &[
            (
                "echo",
                "[dependencies]\nstorage = { path = \"../storage\" }",
            ),
            (
                "storage",
                "[dev-dependencies]\necho = { path = \"../echo\" }",
            ),
        ],
        &["docs/arrows.txt: arrows: a circle: echo -> storage -> echo"],
    );
}

#[test]
fn arrows_are_few_and_chains_short() {
    let services = [
        "discovery",
        "echo",
        "configuration",
        "security",
        "storage",
        "caching",
        "routing",
        "monitoring",
        "release",
        "passes",
        "pipelines",
    ];
    let on = |name: &str| format!("{name} = {{ path = \"../{name}\" }}\n");
    let tables: Vec<String> = (0..services.len())
        .map(|index| match index {
            0 => String::new(),
            _ => format!("[dependencies]\n{}", on(services[index - 1])),
        })
        .collect();
    let chain: Vec<_> = services
        .iter()
        .copied()
        .zip(tables.iter().map(String::as_str))
        .collect();
    check_arrows(&chain[..10], &[]);
    let way: Vec<&str> = services.iter().rev().copied().collect();
    let expected = format!(
        "docs/arrows.txt: arrows: a chain of 11 crates, at most 10: {}",
        way.join(" -> ")
    );
    check_arrows(&chain, &[&expected]);

    let all_of_them = format!(
        "[dependencies]\n{}",
        services[..4].iter().map(|n| on(n)).collect::<String>()
    );
    let mut wide: Vec<(&str, &str)> = services[..4].iter().map(|name| (*name, "")).collect();
    wide.extend(
        services[5..9]
            .iter()
            .map(|name| (*name, all_of_them.as_str())),
    );
    check_arrows(
        &wide,
        &["docs/arrows.txt: arrows: 16 drawn arrows for 8 crates, at most 1.5 a crate"],
    );
}

#[test]
fn an_arrow_that_is_not_written_down_is_found_and_blessing_writes_it() {
    let crates = [
        ("echo", "[dependencies]\nrpc = { path = \"../rpc\" }"),
        ("rpc", ""),
    ];
    let tree = Tree::new(&crates, &[("docs/arrows.txt", "# old\necho -> store\n")]);
    assert_eq!(
        tree.findings(),
        [
            "docs/arrows.txt: golden: new in the code: echo -> rpc",
            "docs/arrows.txt:2: golden: gone from the code: echo -> store",
        ]
    );
    let tree = tree.bless();
    assert_eq!(tree.findings(), [""; 0]);
    assert!(tree.read("docs/arrows.txt").ends_with("\necho -> rpc\n"));
}

#[test]
fn a_crate_without_a_floor_is_asked_for_one() {
    check_arrows(
        &[("novelty", "")],
        &["novelty/Cargo.toml: arrows: novelty stands on no floor"],
    );
}

#[test]
fn a_decision_links_nothing_impure_however_deep() {
    let on = |name: &str| format!("[dependencies]\n{name} = {{ path = \"../../{name}\" }}");
    let tree = Tree::new(
        &[
            ("decisions/model", &on("rpc")),
            ("rpc", "[dependencies]\ntokio = { path = \"../tokio\" }"),
        ],
        &[
            ("decisions/model/clippy.toml", PURE),
            (
                "tokio/Cargo.toml",
                "[package]\nname = \"tokio\"\nedition = \"2024\"\n",
            ),
            ("tokio/src/lib.rs", ""),
        ],
    )
    .bless();
    let findings = tree.findings();
    let expected = "decisions/model/Cargo.toml: purity: model links tokio, and a decision is pure";
    assert!(
        findings.iter().any(|finding| finding == expected),
        "{findings:?}"
    );
    assert!(
        tree.read("docs/decisions-dependencies.txt")
            .contains("model: tokio")
    );
}

#[test]
fn a_decision_has_a_clippy_file_that_forbids_clocks_and_hidden_orders() {
    let crates = [("decisions/model", "")];
    let tree = Tree::new(&crates, &[]).bless();
    let findings = tree.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("decisions/model/clippy.toml: purity: failed to read"));

    let without_set = PURE.replace("HashSet", "BTreeSet");
    let tree = Tree::new(&crates, &[("decisions/model/clippy.toml", &without_set)]).bless();
    assert_eq!(
        tree.findings(),
        [
            "decisions/model/clippy.toml: purity: std::collections::HashSet is not among its \
          disallowed-types"
        ]
    );
}

const ECHO: &str = "rpc::service! {
    /// Says it again.
    read 101 ECHO_PROCEDURE echo(EchoArgs) -> EchoReply;
    write_stream 102 TALK_PROCEDURE talk(Vec<Word>) -> Option<Word>;
}
";

#[test]
fn the_procedure_table_lists_every_declaration() {
    let tree = Tree::new(&[("echo", "")], &[("echo/src/lib.rs", ECHO)]);
    assert_eq!(
        tree.findings(),
        [
            "docs/procedures.txt: golden: new in the code: 101 echo echo read EchoArgs -> \
             EchoReply",
            "docs/procedures.txt: golden: new in the code: 102 echo talk write_stream Vec<Word> -> \
             Option<Word>",
        ]
    );
    assert_eq!(tree.bless().findings(), [""; 0]);
}

#[test]
fn a_procedure_id_is_in_its_range_and_unique() {
    let other = "rpc::service! {\n    read 101 A_PROCEDURE a(A) -> A;\n}\n";
    let tree = Tree::new(
        &[("echo", ""), ("storage", "")],
        &[("echo/src/lib.rs", ECHO), ("storage/src/lib.rs", other)],
    )
    .bless();
    assert_eq!(
        tree.findings(),
        [
            "storage/src/lib.rs:2: procedures: a has id 101, but storage has 701-799",
            "storage/src/lib.rs:2: procedures: id 101 is echo of echo/src/lib.rs already",
        ]
    );
}

#[test]
fn a_removed_procedure_stays_retired_and_its_id_is_never_used_again() {
    let tree = Tree::new(&[("echo", "")], &[("echo/src/lib.rs", ECHO)]).bless();
    tree.write("echo/src/lib.rs", "");
    assert_eq!(tree.findings().len(), 2, "{:?}", tree.findings());
    let tree = tree.bless();
    assert_eq!(tree.findings(), [""; 0]);
    assert!(
        tree.read("docs/procedures.txt")
            .contains("EchoArgs -> EchoReply retired")
    );

    tree.write("echo/src/lib.rs", ECHO);
    let findings = tree.bless().findings();
    assert!(
        findings
            .iter()
            .any(|f| f.starts_with("echo/src/lib.rs:3: procedures: id 101 was retired")),
        "{findings:?}"
    );
}
