//! Debian's Prometheus scrapes both `/metrics` and `/federate`.

use std::process::{Child, Command, Stdio};

use chassis::testing::{fixed_address, http_get};

use crate::common::{fleet, until};

struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_real_prometheus_scrapes_it_and_finds_nothing_wrong() {
    let fleet = fleet();
    let at = fleet.monitoring.address();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    let job = |name: &str, path: &str, more: &str| {
        format!(
            "  - job_name: {name}\n    scrape_interval: 200ms\n    scrape_timeout: 200ms\n    \
             metrics_path: {path}\n{more}    static_configs:\n      - targets: ['{at}']\n"
        )
    };
    let jobs = [
        job("own", "/metrics", ""),
        job("fleet", "/federate", "    honor_labels: true\n"),
    ];
    std::fs::write(&config, format!("scrape_configs:\n{}", jobs.concat())).unwrap();
    let listen = fixed_address();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={listen}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus; `cargo xtask test` installs it");
    let _prometheus = Prometheus(child);
    until("prometheus listens", || async {
        tokio::net::TcpStream::connect(listen).await.ok().map(drop)
    })
    .await;
    let fleet_up = format!("up{{job=%22fleet%22,instance=%22{at}%22}}==1");
    for (what, query) in [
        ("its own metrics are read", "up{job=%22own%22}==1"),
        ("the fleet's are", fleet_up.as_str()),
        (
            "it knows itself",
            "rpc_calls_total{job=%22own%22,procedure=%22metrics%22}",
        ),
        ("it knows the fleet", "up{service=%22routing%22}"),
    ] {
        let path = format!("/api/v1/query?query={query}");
        let answer = until(what, || async {
            let (status, body) = http_get(listen, &path).await;
            (status == 200 && body.contains("\"metric\":{")).then_some(body)
        })
        .await;
        assert!(answer.contains("\"status\":\"success\""), "{answer}");
    }
    let (_, targets) = http_get(listen, "/api/v1/targets").await;
    assert_eq!(
        targets.matches("\"lastError\":\"\"").count(),
        2,
        "{targets}"
    );
}
