//! The members of the workspace and what each depends on, as `cargo metadata` tells it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Finding;

/// Our crates.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One crate of ours.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder relative to the root, with `/`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Which table a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Asks cargo, without resolving anything: this needs neither the network nor a lock file.
    pub(crate) fn load(root: &Path) -> Result<Workspace, Finding> {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let metadata = metadata(&root).map_err(|why| Finding {
            path: "Cargo.toml".into(),
            line: 0,
            rule: "workspace",
            subject: "Cargo.toml".into(),
            what: format!("cargo cannot read the workspace: {why}"),
            advice: "repair the manifest it names; no other rule was checked".into(),
        })?;
        let mut members: Vec<Member> = array(&metadata["packages"])
            .iter()
            .filter_map(|p| member(&root, p))
            .collect();
        members.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(Workspace { root, members })
    }

    /// Whether `name` is one of ours.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }
}

impl Member {
    /// Its manifest, relative to the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// The line of its manifest that names this dependency; 0 when it is written in another form.
    pub(crate) fn dependency_line(&self, root: &Path, name: &str) -> usize {
        let text = std::fs::read_to_string(root.join(self.manifest())).unwrap_or_default();
        let names_it = |line: &str| {
            let rest = line.trim_start().strip_prefix(name);
            rest.is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
        };
        text.lines().position(names_it).map_or(0, |index| index + 1)
    }
}

fn metadata(root: &Path) -> Result<Value, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("not JSON: {error}"))
}

fn member(root: &Path, package: &Value) -> Option<Member> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let folder = manifest.parent()?.strip_prefix(root).ok()?;
    let dependencies = array(&package["dependencies"])
        .iter()
        .filter_map(dependency)
        .collect();
    Some(Member {
        name: package["name"].as_str()?.to_string(),
        folder: folder.to_str()?.replace('\\', "/"),
        dependencies,
    })
}

fn dependency(value: &Value) -> Option<Dependency> {
    let kind = match value["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Some(Dependency {
        name: value["name"].as_str()?.to_string(),
        kind,
    })
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
