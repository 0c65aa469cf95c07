//! What an operator does with `orrery audit`.

use chassis::testing::{Operator, Start, workspace_binary};

use crate::common::{ADMIN, named, with};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_reads_who_changed_what_and_that_nobody_changed_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let discovery = Start::binary(&workspace_binary("discovery")).ready();
    let security = Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_AUTH", "auto")
        .env("ADMIN_TOKEN", ADMIN)
        .ready();
    let operator = |token: &str| Operator::of(discovery.address()).with_token(token);
    let admins = operator(ADMIN);
    let admin = with(&security, ADMIN);
    for name in ["ada", "bob", "eve"] {
        admin
            .create_token(&named(name, &["echo:*:write"]))
            .await
            .unwrap();
    }
    let listed = admins.says(&["audit", "list", "-n", "2"]);
    let rows: Vec<&str> = listed
        .lines()
        .filter(|row| row.contains("create_token"))
        .collect();
    assert!(rows.len() == 2 && rows[1].contains("eve"), "{listed}");
    let of_nobody = admins.says(&["audit", "list", "--caller", "nobody"]);
    assert!(!of_nobody.contains("create_token"), "{of_nobody}");

    let verified = admins.says(&["audit", "verify"]);
    assert!(
        verified.contains("each follows from the one before it"),
        "{verified}"
    );
    // Who may not read it is refused, and named nothing of it.
    let weak = admin
        .create_token(&named("weak", &["echo:*:read"]))
        .await
        .unwrap();
    let refused = operator(&weak.token).refuses(&["audit", "list"]);
    assert!(
        refused.contains("error:") && !refused.contains("eve"),
        "{refused}"
    );
}
