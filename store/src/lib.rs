//! Where state lives: one trait, [`Store`], and the engines behind it.
//!
//! Keys in order, transactions with comparisons, a revision for every write, watches without
//! gaps, leases. The semantics are etcd's, so that a fleet that outgrows one machine changes its
//! engine and not its programs; [`conformance`] is what every engine has to pass.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use store::{Compare, EmbeddedStore, Keys, Op, Options, Range, Store, Txn, Watch};
//!
//! # let directory = tempfile::tempdir()?;
//! let store = EmbeddedStore::open(directory.path(), Options::default())?;
//!
//! // Only one of two who try this becomes the leader.
//! let claim = Txn::of(vec![Op::put("leader", "a")]).when(Compare::absent("leader"));
//! assert!(store.commit(claim.clone()).await?.succeeded);
//! assert!(!store.commit(claim).await?.succeeded);
//!
//! // Read, then watch from the next revision: nothing is missed in between.
//! let now = store.range(Range::prefix("slot/")).await?;
//! let mut watch = store.watch(Keys::prefix("slot/"), now.revision.next()).await?;
//! let revision = store.put("slot/echo.0", "running").await?;
//! assert_eq!(watch.next().await?.revision, revision);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | `api` | [`Store`] and [`Watch`], with their promises |
//! | `types`, `txn`, `error`, [`limits`] | the nouns |
//! | `embedded` | [`EmbeddedStore`]: SQLite on disk, everything in memory, one writer |
//! | `etcd` | `EtcdStore`: a prefix of an etcd cluster; with the cargo feature `etcd` |
//! | `copy` | [`copy`](copy()): from one engine to another |
//! | [`conformance`] | the promises as tests, for any engine |
//! | [`load`] | a generator of commits, and the floor to compare with |

mod api;
pub mod conformance;
mod copy;
mod embedded;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod latency;
pub mod limits;
pub mod load;
mod txn;
mod types;

pub use api::{Store, Watch};
pub use copy::{Copied, CopyError, copy};
pub use embedded::{Checked, EmbeddedStore, EmbeddedWatch, OpenError, Options};
pub use error::{
    BackupError, CommitError, CompactError, Failure, LeaseError, ReadError, RecallError, WatchError,
};
#[cfg(feature = "etcd")]
pub use etcd::{EtcdOptions, EtcdStore, EtcdWatch};
pub use limits::LimitError;
pub use txn::{Committed, Compare, Field, Is, Op, OpResult, Txn};
pub use types::{
    Change, Event, KeyValue, Keys, Latency, Lease, LeaseId, Range, RangeAnswer, Revision, Status,
};
