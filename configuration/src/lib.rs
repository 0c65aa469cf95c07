//! Values that change while services run.
//!
//! # The shape
//! A *key* is `service/name`, a *value* is text, as a setting is: `30s`, `true`, `250`. Every write
//! has a *revision*; a write may ask that the key is still at the revision that was read. What a
//! key was before stays as its *history*, and [`ROLLBACK_PROCEDURE`] brings it back as a new write.
//! A *watch* begins with all that there is and tells every change after that, without a gap.
//!
//! A service *declares* its keys: type, range, default, and what they are for. From then on a
//! value that does not fit is refused when it is set, not found out about when it is read; and a
//! key under `service/` that the service did not declare is taken for a slip of the pen. Who has
//! not declared anything may keep any text.
//!
//! Start-up settings are a file and the environment; this is for what changes after that. A
//! service that follows its keys ([`Values`]) goes on with what it knew last while configuration is
//! away, and with its defaults if it never heard of anything else.
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! use configuration::{ConfigurationClient, SetArgs, Values};
//!
//! // In the service: live values, each with its default and its range.
//! let mut values = Values::new("greeter");
//! let pause = values.duration("pause", "50ms", "0ms", "10s", "How long it thinks.");
//! let polite = values.boolean("polite", true, "Whether it says please.");
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let _following = values.follow(resolver.channel(configuration::SYSTEM_NAME));
//! println!("{:?} {}", pause.get(), polite.get());
//!
//! // Somewhere else: somebody changes one.
//! let client = ConfigurationClient::new(resolver.channel(configuration::SYSTEM_NAME));
//! let set = client.set(&SetArgs::new("greeter/pause", "1s")).await?;
//! println!("revision {}", set.revision);
//! # Ok(())
//! # }
//! ```

pub mod limits;
pub mod reason;
mod schema;
mod values;
mod wire;

pub use schema::{Declaration, Misfit, ValueType};
pub use values::{Following, Live, Values};
pub use wire::{
    ChangedKey, Compare, ConfigurationEvent, DeclareArgs, DeclareReply, DeleteArgs, GetArgs,
    GetReply, HistoryArgs, HistoryEntry, HistoryReply, Item, ListArgs, ListReply, RollbackArgs,
    SchemaArgs, SchemaReply, SetArgs, SetReply, SnapshotReason, WatchArgs,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "configuration";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10500";

rpc::service! {
    /// Values that change while services run.
    trait Configuration, client ConfigurationClient, dispatch ConfigurationDispatch,
        name SYSTEM_NAME;
    /// One value: what was set, or else the declared default.
    read 301 GET_PROCEDURE get(GetArgs) -> GetReply;
    /// Gives a key a value.
    write 302 SET_PROCEDURE set(SetArgs) -> SetReply;
    /// Takes a key's value away, so that its default counts again. No error if it has none.
    write 303 DELETE_PROCEDURE delete(DeleteArgs) -> SetReply;
    /// What is set under a prefix, page by page, all pages as of one revision.
    read 304 LIST_PROCEDURE list(ListArgs) -> ListReply;
    /// What is set under a prefix, then every change of it, without a gap.
    read_stream 305 WATCH_PROCEDURE watch(WatchArgs) -> ConfigurationEvent;
    /// What a key was, newest first: the last hundred writes of it.
    read 306 HISTORY_PROCEDURE history(HistoryArgs) -> HistoryReply;
    /// Gives a key the value of an earlier write; a new write, with a revision of its own.
    write 307 ROLLBACK_PROCEDURE rollback(RollbackArgs) -> SetReply;
    /// A service says which keys it has. Replaces what it declared before.
    idempotent 308 DECLARE_PROCEDURE declare(DeclareArgs) -> DeclareReply;
    /// The declared keys.
    read 309 SCHEMA_PROCEDURE schema(SchemaArgs) -> SchemaReply;
}

impl ConfigurationClient {
    /// All that is set under a prefix, over all pages; all there is if that is empty.
    ///
    /// # Errors
    /// Those of [`list`](Self::list).
    pub async fn everything(&self, prefix: &str) -> Result<Vec<Item>, rpc::Error> {
        let mut args = ListArgs {
            prefix: prefix.to_owned(),
            ..ListArgs::default()
        };
        let mut items = Vec::new();
        loop {
            let page = self.list(&args).await?;
            items.extend(page.items);
            if page.cursor.is_empty() {
                return Ok(items);
            }
            args.cursor = page.cursor;
        }
    }
}
