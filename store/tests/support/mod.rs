//! What the tests of the embedded engine share.

use std::path::{Path, PathBuf};

use store::conformance::Fixture;
use store::{EmbeddedStore, Options};
use tempfile::TempDir;

/// A directory with room for a store and its backups, removed at the end.
pub(crate) struct Embedded {
    directory: TempDir,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a directory for the test"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Fixture for Embedded {
    type Store = EmbeddedStore;

    async fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(self.path().join("store"), Options::default()).expect("it opens")
    }

    async fn restart(&self, store: EmbeddedStore) -> EmbeddedStore {
        drop(store);
        self.open().await
    }

    fn free_path(&self) -> PathBuf {
        self.path().join("backup.sqlite")
    }
}
