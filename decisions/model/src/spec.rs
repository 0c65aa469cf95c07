//! What an operator wishes for: a service, its replicas, and how to keep them well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CPU_MILLICORES, MEMORY_BYTES, NodeId, PIDS, Resources, Revision, ServiceName, Wishes};

/// The most replicas one service may ask for.
pub const REPLICAS_MAX: u32 = 100_000;
/// The most secrets one service may be handed.
pub const SECRETS_MAX: usize = 32;

/// A wish: keep `replicas` instances of this running, like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Unique in the fleet.
    pub name: ServiceName,
    /// What to run.
    pub artifact: Artifact,
    /// How many.
    pub replicas: u32,
    /// The one node they run on; absent: whichever is best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Which ports its instances listen on.
    #[serde(default)]
    pub ports: Ports,
    /// Extra environment, on top of what the agent sets (`PORT` and the `ORRERY_*` variables).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets that its instances are handed, by name as `security` knows them. `PASSWORD = "db"`
    /// is an open file with the value of `db`, whose number is in `ORRERY_SECRET_PASSWORD_FD`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Where it runs; the agent's own directory when absent.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// Services that must have a healthy instance before the first instance of this starts.
    #[serde(default)]
    pub after: Vec<ServiceName>,
    /// What to do when an instance ends.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// How to tell whether an instance is well.
    #[serde(default)]
    pub probes: Probes,
    /// What an instance may use.
    #[serde(default)]
    pub limits: Limits,
    /// What it asks of the machine.
    #[serde(default, skip_serializing_if = "Wishes::is_empty")]
    pub placement: Wishes,
    /// How long an instance may take to end after SIGTERM, before SIGKILL.
    #[serde(default = "default_grace_ms")]
    pub grace_period_ms: u64,
    /// A newer version that some of the slots run; set by whoever rolls it out, not by `apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Box<Next>>,
    /// The fence of the last version whose way is over: what comes late of it, or of an older one,
    /// is refused. Set by whoever rolls out, not by `apply`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rolled: u64,
    /// The write that made this spec what it is; set by the store, not by the operator.
    #[serde(default)]
    pub revision: Revision,
}

/// A newer version of a service on its way: what runs it, and in which slots.
///
/// New slots beyond `replicas` come first, so that there is never less of a service than was wished
/// for; then slots from the highest down. The way back is the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// Who rolls it out: nobody else goes on with it.
    pub by: String,
    /// Larger than that of every earlier version on its way.
    #[serde(default)]
    pub fence: u64,
    /// What to run.
    pub artifact: Artifact,
    /// Extra environment, instead of the spec's own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Slots from this one on run it.
    pub from: u32,
    /// How many slots there are meanwhile beyond `replicas`.
    pub surge: u32,
    /// The write that made it what it is.
    #[serde(default)]
    pub revision: Revision,
}

impl Next {
    /// The same of a service that has `after` replicas and had `before`: at most the same share of
    /// the slots runs it, and slots beyond the replicas stay beyond them.
    #[must_use]
    pub fn rescaled(&self, before: u32, after: u32) -> Self {
        let from = if self.from >= before {
            // Not before the other sum: beyond the last slot there is nowhere to go.
            u64::from(self.from) + u64::from(after) - u64::from(before)
        } else {
            (u64::from(self.from) * u64::from(after)).div_ceil(u64::from(before))
        };
        let nowhere = self.from == u32::MAX;
        let from = u32::try_from(from).ok().filter(|_| !nowhere);
        Self {
            from: from.unwrap_or(u32::MAX),
            ..self.clone()
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn default_grace_ms() -> u64 {
    3_000
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// A binary target of a Cargo package.
    Cargo {
        /// Path of the package's `Cargo.toml`.
        manifest_path: String,
        /// Name of the binary target.
        bin_name: String,
    },
    /// A program with its arguments; no shell reads it.
    Command {
        /// Path, or a name looked up in `PATH`.
        program: String,
        /// Arguments, one each.
        #[serde(default)]
        args: Vec<String>,
    },
}

/// Which ports the instances of a service listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ports {
    /// Ports that instances 0, 1, 2 ... get, in order; further ones come from 12000-19999.
    pub well_known: Vec<u16>,
    /// `false`: the program listens on no port and gets none.
    pub wanted: bool,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            well_known: Vec::new(),
            wanted: true,
        }
    }
}

/// What to do when an instance ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestartPolicy {
    /// Pause before the second start in a row; the first restart is immediate.
    pub backoff_initial_ms: u64,
    /// Longest pause.
    pub backoff_max_ms: u64,
    /// An instance that was healthy for this long starts the count anew.
    pub reset_after_ms: u64,
    /// Starts in a row without a healthy period, before the slot is given up as `failed`.
    pub attempts_max: u32,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            backoff_initial_ms: 100,
            backoff_max_ms: 30_000,
            reset_after_ms: 10_000,
            attempts_max: 8,
        }
    }
}

/// How to tell whether an instance is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// When it counts as ready for the first time.
    pub readiness: Probe,
    /// Whether it still lives; asked for as long as it runs.
    pub liveness: Probe,
}

/// One question and its patience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// How to ask.
    pub kind: ProbeKind,
    /// Pause between two questions.
    pub interval_ms: u64,
    /// How long an answer may take.
    pub timeout_ms: u64,
    /// Bad answers in a row that make an instance unhealthy.
    pub failures_max: u32,
    /// Readiness only: how long the first good answer may take before the start counts as failed.
    pub deadline_ms: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            kind: ProbeKind::Procedure,
            interval_ms: 500,
            timeout_ms: 500,
            failures_max: 3,
            deadline_ms: 30_000,
        }
    }
}

/// How a probe asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// The built-in `HEALTH` procedure. As readiness: `READY=1` on the notify socket, or `HEALTH`.
    #[default]
    Procedure,
    /// A TCP connection to the instance's port is accepted.
    Tcp,
    /// `GET path` on the instance's port answers 2xx.
    Http {
        /// For instance `/livez`.
        path: String,
    },
    /// A program that exits with 0.
    Exec {
        /// Path or name.
        program: String,
        /// Arguments, one each.
        #[serde(default)]
        args: Vec<String>,
    },
    /// Not asked: it is well as long as it runs.
    None,
}

/// What an instance may use. Absent means unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPU time, in thousandths of a core.
    pub cpu_millicores: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// What is wrong with a spec, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct SpecError {
    /// Path of the field, as in `artifact.bin_name`.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl ServiceSpec {
    /// A spec with every default, for an artifact.
    #[must_use]
    pub fn new(name: ServiceName, artifact: Artifact, replicas: u32) -> Self {
        Self {
            name,
            artifact,
            replicas,
            node: None,
            ports: Ports {
                well_known: Vec::new(),
                wanted: true,
            },
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            working_dir: None,
            after: Vec::new(),
            restart: RestartPolicy::default(),
            probes: Probes::default(),
            limits: Limits::default(),
            placement: Wishes::default(),
            grace_period_ms: default_grace_ms(),
            next: None,
            rolled: 0,
            revision: Revision::default(),
        }
    }

    /// How many slots there are: those that are wished for, and those of a roll-out.
    #[must_use]
    pub fn slots(&self) -> u32 {
        let surge = self.next.as_ref().map_or(0, |next| next.surge);
        self.replicas.saturating_add(surge)
    }

    /// The newer version, if this slot runs it.
    fn next_at(&self, index: u32) -> Option<&Next> {
        self.next.as_deref().filter(|next| index >= next.from)
    }

    /// The revision that an instance in this slot should have.
    #[must_use]
    pub fn revision_at(&self, index: u32) -> Revision {
        self.next_at(index)
            .map_or(self.revision, |next| next.revision)
    }

    /// The spec as it is for one slot: of its version, and nothing of another.
    #[must_use]
    pub fn at(&self, index: u32) -> Self {
        let mut spec = Self {
            next: None,
            ..self.clone()
        };
        if let Some(next) = self.next_at(index) {
            spec.artifact = next.artifact.clone();
            spec.env = next.env.clone();
            spec.revision = next.revision;
        }
        spec
    }

    /// What is kept for one instance on its machine: what is asked for, and of what is not, what
    /// it is limited to.
    #[must_use]
    pub fn request(&self) -> Resources {
        let mut request = self.placement.request.clone();
        let limits = [
            (CPU_MILLICORES, self.limits.cpu_millicores),
            (MEMORY_BYTES, self.limits.memory_bytes),
            (PIDS, self.limits.pids),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                request.0.entry(name.to_owned()).or_insert(limit);
            }
        }
        request
    }

    /// What a placer is told that one instance asks for.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        Wishes {
            request: self.request(),
            ..self.placement.clone()
        }
    }

    /// Every artifact that some slot runs.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        let next = self.next.as_ref().map(|next| &next.artifact);
        std::iter::once(&self.artifact).chain(next)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`SpecError`] names the first field that is wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        let refuse = |field, why: &str| {
            Err(SpecError {
                field,
                why: why.to_owned(),
            })
        };
        if self.slots() > REPLICAS_MAX {
            return refuse("replicas", "at most 100000");
        }
        if let Some(next) = &self.next {
            let alone = Self {
                artifact: next.artifact.clone(),
                env: next.env.clone(),
                next: None,
                ..self.clone()
            };
            alone.check()?;
        }
        if self.after.contains(&self.name) {
            return refuse("after", "a service cannot wait for itself");
        }
        let (field, empty) = match &self.artifact {
            Artifact::Cargo { manifest_path, .. } if manifest_path.is_empty() => {
                ("artifact.cargo.manifest_path", true)
            }
            Artifact::Cargo { bin_name, .. } => ("artifact.cargo.bin_name", bin_name.is_empty()),
            Artifact::Command { program, .. } => ("artifact.command.program", program.is_empty()),
        };
        if empty {
            return refuse(field, "it is empty");
        }
        if let Some(name) = self.env.keys().find(|n| !env_name_is_valid(n)) {
            return Err(SpecError {
                field: "env",
                why: format!("{name:?} is not a variable name"),
            });
        }
        if self.env.values().any(|value| value.contains('\0')) {
            return refuse("env", "a value contains a NUL byte");
        }
        self.check_secrets()
    }

    /// Without the text on the right in what it says: somebody may have written the value there.
    fn check_secrets(&self) -> Result<(), SpecError> {
        let refuse = |why: String| {
            Err(SpecError {
                field: "secrets",
                why,
            })
        };
        if self.secrets.len() > SECRETS_MAX {
            return refuse("at most 32".to_owned());
        }
        for (name, secret) in &self.secrets {
            if !env_name_is_valid(name) {
                return refuse(format!("{name:?} is not a variable name"));
            }
            if !secret_name_is_valid(secret) {
                return refuse(format!(
                    "{name} needs a secret's name, as `orrery secrets list` shows them"
                ));
            }
        }
        Ok(())
    }
}

/// As `security` names its secrets.
fn secret_name_is_valid(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

fn env_name_is_valid(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}
