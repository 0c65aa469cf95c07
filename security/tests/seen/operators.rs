//! What an operator does with `orrery audit`.

use chassis::testing::{Start, orrery, workspace_binary};

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
    let says = |args: &[&str]| orrery(discovery.address(), ADMIN, args);
    let admin = with(&security, ADMIN);
    for name in ["ada", "bob", "eve"] {
        admin
            .create_token(&named(name, &["echo:*:write"]))
            .await
            .unwrap();
    }
    let (well, listed) = says(&["audit", "list", "-n", "2"]);
    assert!(well, "{listed}");
    let rows: Vec<&str> = listed
        .lines()
        .filter(|row| row.contains("create_token"))
        .collect();
    assert!(rows.len() == 2 && rows[1].contains("eve"), "{listed}");
    let (_, of_nobody) = says(&["audit", "list", "--caller", "nobody"]);
    assert!(!of_nobody.contains("create_token"), "{of_nobody}");

    let (well, verified) = says(&["audit", "verify"]);
    assert!(
        well && verified.contains("each follows from the one before it"),
        "{verified}"
    );
    // Who may not read it is refused, and named nothing of it.
    let weak = admin
        .create_token(&named("weak", &["echo:*:read"]))
        .await
        .unwrap();
    let (well, refused) = orrery(discovery.address(), &weak.token, &["audit", "list"]);
    assert!(
        !well && refused.contains("error:") && !refused.contains("eve"),
        "{refused}"
    );
}
