//! From what a spec names to a program that can be started.
//!
//! - A **command** is taken as it is.
//! - A binary of **Orrery's own workspace** is looked for beside the running executable, where
//!   `cargo build` puts all of them, and where an installation has them too.
//! - Whatever is missing, and every **other manifest**, is built by Cargo: one `cargo build` for
//!   all that is asked for together, never one per instance.
//!
//! When is a binary too old? When the operator acts ([`Artifacts::refresh`]: a start of scheduling,
//! an apply, a restart), the sources that Cargo's dep-info file names are compared with the binary:
//! a few hundred `stat`s instead of the 0.3 s that Cargo takes to find out that nothing is to be
//! done. A replacement ([`Artifacts::resolve`]) takes the binary that is there: a process that died
//! comes back as it was, also while somebody is editing its sources.

mod cargo;
mod freshness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::Artifact;
use tokio::sync::Mutex;

use self::cargo::{Build, Wanted};
pub use self::cargo::{BuildError, Progress};

/// How long a failed build is believed, so that ten replicas do not build ten times.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// A program, with the arguments its spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// A path, or a name to be looked up in `PATH`.
    pub path: PathBuf,
    /// Arguments, one each.
    pub args: Vec<String>,
}

/// Finds and builds programs. One for each machine.
#[derive(Debug)]
pub struct Artifacts {
    beside: PathBuf,
    workspace: PathBuf,
    progress: Progress,
    /// Held while Cargo runs: it would wait for itself otherwise.
    built: Mutex<BTreeMap<Wanted, Built>>,
}

#[derive(Debug)]
enum Built {
    At(PathBuf),
    Failed(BuildError, Instant),
}

impl Artifacts {
    /// For a process that lies at `executable`. `progress`: whether Cargo's lines are passed on.
    #[must_use]
    pub fn new(executable: &Path, progress: Progress) -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            beside: executable.parent().unwrap_or(Path::new(".")).to_owned(),
            workspace: own.parent().unwrap_or(own).to_owned(),
            progress,
            built: Mutex::default(),
        }
    }

    /// The program to start now; builds it only if there is none.
    ///
    /// # Errors
    /// [`BuildError`] says why there is none, and what to do.
    pub async fn resolve(&self, artifact: &Artifact) -> Result<Program, BuildError> {
        let (manifest, bin) = match artifact {
            Artifact::Command { program, args } => {
                return Ok(Program {
                    path: program.into(),
                    args: args.clone(),
                });
            }
            Artifact::Cargo {
                manifest_path,
                bin_name,
            } => (manifest_path, bin_name),
        };
        let wanted = self.wanted(manifest, bin)?;
        let path = match self.sibling(&wanted) {
            Some(path) if path.exists() => path,
            _ => self.built(wanted, Accept::AnyAge).await?,
        };
        Ok(Program {
            path,
            args: Vec::new(),
        })
    }

    /// Builds whatever of these is missing, or older than its sources, with one `cargo build` for
    /// each workspace. Answers for each that cannot be had why not.
    pub async fn refresh(&self, artifacts: &[Artifact]) -> Vec<(Artifact, BuildError)> {
        let mut failures = Vec::new();
        let mut missing = Vec::new();
        for artifact in artifacts {
            let Artifact::Cargo {
                manifest_path,
                bin_name,
            } = artifact
            else {
                continue;
            };
            match self.wanted(manifest_path, bin_name) {
                Ok(wanted) if self.is_fresh(&wanted).await => {}
                Ok(wanted) => missing.push((artifact, wanted)),
                Err(e) => failures.push((artifact.clone(), e)),
            }
        }
        let wanted: Vec<Wanted> = missing.iter().map(|(_, wanted)| wanted.clone()).collect();
        self.build(wanted).await;
        for (artifact, wanted) in missing {
            if let Err(e) = self.built(wanted, Accept::AnyAge).await {
                failures.push((artifact.clone(), e));
            }
        }
        failures
    }

    /// Where a manifest lies: as given, or in Orrery's own workspace.
    fn wanted(&self, manifest: &str, bin: &str) -> Result<Wanted, BuildError> {
        let given = Path::new(manifest);
        let own = self.workspace.join(given);
        let bin_name = bin.to_owned();
        for path in [given, own.as_path()] {
            if let Ok(manifest) = path.canonicalize() {
                return Ok(Wanted { manifest, bin_name });
            }
        }
        // An installation has binaries and no sources.
        if given.is_relative() && self.beside.join(bin).exists() {
            let manifest = own;
            return Ok(Wanted { manifest, bin_name });
        }
        Err(BuildError::NoManifest {
            path: manifest.to_owned(),
        })
    }

    /// Where Cargo puts a binary of the workspace that this executable comes from.
    fn sibling(&self, wanted: &Wanted) -> Option<PathBuf> {
        let own = wanted.manifest.starts_with(&self.workspace);
        own.then(|| self.beside.join(&wanted.bin_name))
    }

    async fn is_fresh(&self, wanted: &Wanted) -> bool {
        let path = match self.sibling(wanted) {
            Some(path) => Some(path),
            None => match self.built.lock().await.get(wanted) {
                Some(Built::At(path)) => Some(path.clone()),
                _ => None,
            },
        };
        path.is_some_and(|path| freshness::is_fresh(&path))
    }

    /// The binary, built if need be.
    async fn built(&self, wanted: Wanted, accept: Accept) -> Result<PathBuf, BuildError> {
        {
            let built = self.built.lock().await;
            match built.get(&wanted) {
                Some(Built::At(path)) if path.exists() => return Ok(path.clone()),
                Some(Built::Failed(e, at)) if at.elapsed() < FAILURE_KEPT => {
                    return Err(e.clone());
                }
                _ => {}
            }
        }
        if accept == Accept::Recorded {
            return Err(BuildError::NotBuilt {
                bin_name: wanted.bin_name,
            });
        }
        self.build(vec![wanted.clone()]).await;
        Box::pin(self.built(wanted, Accept::Recorded)).await
    }

    /// Runs Cargo once for each workspace among these, and records what came of it.
    async fn build(&self, wanted: Vec<Wanted>) {
        if wanted.is_empty() {
            return;
        }
        let mut built = self.built.lock().await;
        let (own, foreign): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|w| self.sibling(w).is_some());
        let mut builds = Vec::new();
        if !own.is_empty() {
            let root = self.workspace.join("Cargo.toml");
            builds.push(Build::own(root, own, &self.beside));
        }
        for (manifest, together) in by_manifest(foreign) {
            builds.push(Build::foreign(manifest, together));
        }
        for build in builds {
            for (wanted, result) in build.run(self.progress).await {
                let now = Instant::now();
                let result = result.map_or_else(|e| Built::Failed(e, now), Built::At);
                built.insert(wanted, result);
            }
        }
    }
}

/// Whether to build what nobody has built yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accept {
    AnyAge,
    Recorded,
}

fn by_manifest(wanted: Vec<Wanted>) -> BTreeMap<PathBuf, Vec<Wanted>> {
    let mut together: BTreeMap<PathBuf, Vec<Wanted>> = BTreeMap::new();
    for one in wanted {
        together.entry(one.manifest.clone()).or_default().push(one);
    }
    together
}
