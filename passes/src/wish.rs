//! A job as a wish that scheduling understands.

use model::{NodeId, ProbeKind, Resources, ServiceName, ServiceSpec};

use crate::record::Record;

/// How long a job may take to write its checkpoint after SIGTERM.
const GRACE_MS: u64 = 20_000;

/// No job that ends was well for so long that its end is forgiven: about ten years.
const NEVER_MS: u64 = 10 * 365 * 24 * 3_600_000;

/// What runs a job on a node: one process, started once. Its end is a fact, not a failure that
/// would be mended.
pub(crate) fn spec_of(
    record: &Record,
    node: &str,
    checkpoint: &str,
) -> Result<ServiceSpec, String> {
    let job = &record.0;
    let name = ServiceName::new(record.service()).map_err(|e| e.to_string())?;
    let mut spec = ServiceSpec::new(name, job.spec.program.clone().into(), 1);
    spec.node = Some(NodeId::new(node).map_err(|e| e.to_string())?);
    spec.ports.wanted = false;
    spec.probes.readiness.kind = ProbeKind::None;
    spec.probes.liveness.kind = ProbeKind::None;
    spec.restart.attempts_max = 1;
    spec.restart.reset_after_ms = NEVER_MS;
    spec.grace_period_ms = GRACE_MS;
    spec.placement.request = Resources::default()
        .with(model::CPU_MILLICORES, job.spec.cpu_millicores.into())
        .with(model::MEMORY_BYTES, u64::from(job.spec.memory_mb) << 20);
    spec.env = job.spec.env.clone();
    let told = [
        ("ORRERY_JOB", job.id.to_string()),
        ("ORRERY_JOB_ATTEMPT", job.attempt.to_string()),
        ("ORRERY_DEADLINE_MS", job.spec.deadline_ms.to_string()),
        ("ORRERY_CHECKPOINT", checkpoint.to_owned()),
    ];
    let told = told.map(|(name, value)| (name.to_owned(), value));
    spec.env.extend(told);
    spec.check().map_err(|e| e.to_string())?;
    Ok(spec)
}

/// All of them as `apply` takes them.
pub(crate) fn toml_of(specs: &[ServiceSpec]) -> Result<String, String> {
    let tables = specs.iter().map(|spec| {
        let mut table = toml::Table::try_from(spec)?;
        // Set by the store, and never read from what is applied.
        table.remove("revision");
        Ok(toml::Value::Table(table))
    });
    let tables: Result<Vec<toml::Value>, toml::ser::Error> = tables.collect();
    let file = tables.map(|tables| toml::Table::from_iter([("service".to_owned(), tables.into())]));
    file.and_then(|file| toml::to_string(&file))
        .map_err(|e| e.to_string())
}
