//! Whether a binary is newer than its sources, from the dep-info file that Cargo writes beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether the binary is there and no source is newer. Without dep-info (an installation) it is.
pub(super) fn is_fresh(binary: &Path) -> bool {
    let Some(built) = modified(binary) else {
        return false;
    };
    let Ok(dep_info) = fs::read_to_string(binary.with_extension("d")) else {
        return true;
    };
    // A source that is gone has been renamed: Cargo has to look.
    sources(&dep_info).all(|source| modified(&source).is_some_and(|at| at <= built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The prerequisites of a make rule, in which a space in a name is written `\ `.
fn sources(dep_info: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let rule = dep_info.lines().next().unwrap_or_default();
    let (_, list) = rule.split_once(": ").unwrap_or_default();
    let mut names = Vec::new();
    let mut name = String::new();
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&' ').is_some() => name.push(' '),
            ' ' => names.push(std::mem::take(&mut name)),
            c => name.push(c),
        }
    }
    names.push(name);
    names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_binary_is_fresh_until_one_of_its_sources_changes_or_goes() {
        let dir = tempfile::tempdir().unwrap();
        let [binary, source] = ["echo", "a source.rs"].map(|name| dir.path().join(name));
        assert!(!is_fresh(&binary), "what is not there is not fresh");
        File::create(&source).unwrap();
        let binary_file = File::create(&binary).unwrap();
        assert!(is_fresh(&binary), "an installation has no dep-info");
        let escaped = source.to_str().unwrap().replace(' ', "\\ ");
        let rule = format!("{}: {escaped} {escaped}\n", binary.display());
        fs::write(binary.with_extension("d"), rule).unwrap();
        assert!(is_fresh(&binary));
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        binary_file.set_modified(long_ago).unwrap();
        assert!(!is_fresh(&binary));
        binary_file
            .set_modified(SystemTime::now() + Duration::from_secs(1))
            .unwrap();
        assert!(is_fresh(&binary));
        fs::remove_file(&source).unwrap();
        assert!(!is_fresh(&binary));
    }
}
