//! One run of `cargo build`.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// How many lines of the compiler a failure carries.
const LINES_KEPT: usize = 20;

/// Whether Cargo's lines are passed on to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// They are: somebody is looking.
    Shown,
    /// They are not.
    Quiet,
}

/// Why there is no binary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is no such manifest.
    #[error("manifest {path:?} does not exist; give the path of a package's Cargo.toml")]
    NoManifest {
        /// As it was given.
        path: String,
    },
    /// Cargo cannot be run.
    #[error("cargo could not be run ({why}); install Rust, or put the binary beside scheduling")]
    NoCargo {
        /// What the system said.
        why: String,
    },
    /// Cargo failed.
    #[error(
        "cargo could not build {bin_name} of {manifest}; its last lines:\n{}",
        .lines.join("\n")
    )]
    Failed {
        /// Which binary.
        bin_name: String,
        /// Of which package.
        manifest: String,
        /// What Cargo and the compiler said last.
        lines: Vec<String>,
    },
    /// Cargo succeeded and there is no such binary.
    #[error("cargo built nothing called {bin_name}; is it a binary target of that package?")]
    NotBuilt {
        /// Which binary.
        bin_name: String,
    },
}

/// A binary of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) manifest: PathBuf,
    pub(super) bin_name: String,
}

/// What to build together.
pub(super) struct Build {
    manifest: PathBuf,
    wanted: Vec<Wanted>,
    args: Vec<String>,
}

impl Build {
    /// Binaries of Orrery's own workspace, with the profile and the target directory of the
    /// executable that runs.
    pub(super) fn own(root: PathBuf, wanted: Vec<Wanted>, beside: &Path) -> Self {
        let mut args = Vec::new();
        let target = beside.parent().unwrap_or(beside);
        args.extend([
            "--target-dir".to_owned(),
            target.to_string_lossy().into_owned(),
        ]);
        match beside.file_name().and_then(|name| name.to_str()) {
            None | Some("debug") => {}
            Some("release") => args.push("--release".to_owned()),
            Some(profile) => args.extend(["--profile".to_owned(), profile.to_owned()]),
        }
        let mut packages: Vec<String> = wanted.iter().filter_map(package_of).collect();
        packages.sort();
        packages.dedup();
        for package in packages {
            args.extend(["-p".to_owned(), package]);
        }
        Self::new(root, wanted, args)
    }

    /// Binaries of one package of somebody else.
    pub(super) fn foreign(manifest: PathBuf, wanted: Vec<Wanted>) -> Self {
        Self::new(manifest, wanted, Vec::new())
    }

    fn new(manifest: PathBuf, wanted: Vec<Wanted>, mut args: Vec<String>) -> Self {
        let mut bins: Vec<&String> = wanted.iter().map(|w| &w.bin_name).collect();
        bins.sort();
        bins.dedup();
        for bin in bins {
            args.extend(["--bin".to_owned(), bin.clone()]);
        }
        Self {
            manifest,
            wanted,
            args,
        }
    }

    pub(super) async fn run(
        self,
        progress: Progress,
    ) -> Vec<(Wanted, Result<PathBuf, BuildError>)> {
        let output = match self.start() {
            Ok(child) => Output::of(child, progress).await,
            Err(e) => Err(e),
        };
        let output = match output {
            Ok(output) => output,
            Err(e) => {
                let error = BuildError::NoCargo { why: e.to_string() };
                let failed = |w| (w, Err(error.clone()));
                return self.wanted.into_iter().map(failed).collect();
            }
        };
        let judge = |wanted: Wanted| {
            let result = output.judge(&wanted);
            (wanted, result)
        };
        self.wanted.into_iter().map(judge).collect()
    }

    fn start(&self) -> std::io::Result<Child> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--keep-going", "--message-format=json"])
            .arg("--manifest-path")
            .arg(&self.manifest)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Started with `cargo run`, scheduling was told of its own package, in variables for which
        // some build scripts (ring's) run anew: every service would be built once more.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        // Rather where the manifest is: rustup and Cargo look for their settings from there up.
        if let Some(dir) = self.manifest.parent() {
            command.current_dir(dir);
        }
        tracing::debug!(args = ?self.args, manifest = %self.manifest.display(), "cargo build");
        command.spawn()
    }
}

/// The package's name, which Cargo wants beside the workspace's manifest.
fn package_of(wanted: &Wanted) -> Option<String> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
    }
    let text = std::fs::read_to_string(&wanted.manifest).ok()?;
    let manifest: Manifest = toml::from_str(&text).ok()?;
    Some(manifest.package.name)
}

/// What Cargo said.
struct Output {
    success: bool,
    /// Executables by target name.
    executables: BTreeMap<String, PathBuf>,
    lines: VecDeque<String>,
}

/// The parts of Cargo's messages that matter here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    target: Option<Target>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

impl Output {
    async fn of(mut child: Child, progress: Progress) -> std::io::Result<Self> {
        let mut output = Self {
            success: false,
            executables: BTreeMap::new(),
            lines: VecDeque::new(),
        };
        let mut messages = lines_of(child.stdout.take());
        let mut words = lines_of(child.stderr.take());
        loop {
            tokio::select! {
                Some(line) = messages.next() => output.message(&line, progress),
                Some(line) = words.next() => output.word(line, progress),
                else => break,
            }
        }
        output.success = child.wait().await?.success();
        Ok(output)
    }

    fn message(&mut self, line: &str, progress: Progress) {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            return;
        };
        if let (Some(path), Some(target)) = (message.executable, message.target)
            && message.reason == "compiler-artifact"
        {
            self.executables.insert(target.name, path);
        }
        if let Some(diagnostic) = message.message
            && diagnostic.level == "error"
        {
            let rendered = diagnostic.rendered.unwrap_or_default();
            for line in rendered.lines().filter(|line| !line.is_empty()) {
                self.word(line.to_owned(), progress);
            }
        }
    }

    fn word(&mut self, line: String, progress: Progress) {
        if progress == Progress::Shown {
            eprintln!("{line}");
        }
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn judge(&self, wanted: &Wanted) -> Result<PathBuf, BuildError> {
        let bin_name = wanted.bin_name.clone();
        match self.executables.get(&bin_name) {
            Some(path) => Ok(path.clone()),
            None if self.success => Err(BuildError::NotBuilt { bin_name }),
            None => Err(BuildError::Failed {
                bin_name,
                manifest: wanted.manifest.display().to_string(),
                lines: self.lines.iter().cloned().collect(),
            }),
        }
    }
}

/// Lines of a stream that may not be there; `None` at its end.
struct Lines<R>(Option<tokio::io::Lines<BufReader<R>>>);

fn lines_of<R: AsyncRead + Unpin>(stream: Option<R>) -> Lines<R> {
    Lines(stream.map(|stream| BufReader::new(stream).lines()))
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Cancel safe.
    async fn next(&mut self) -> Option<String> {
        let line = self.0.as_mut()?.next_line().await.ok().flatten();
        if line.is_none() {
            self.0 = None;
        }
        line
    }
}
