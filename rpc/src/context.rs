//! What a handler knows about its call.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::server::ServerConnection;
use crate::{AUTHORIZATION, CallOptions, Codec, Metadata, ProcedureId};

/// What a handler knows about its call, and what it may say beside its result.
pub struct Context {
    pub(crate) connection: Arc<ServerConnection>,
    pub(crate) call: u64,
    pub(crate) route: usize,
    pub(crate) procedure: ProcedureId,
    pub(crate) codec: Codec,
    pub(crate) deadline: Option<Instant>,
    pub(crate) metadata: Metadata,
    pub(crate) reply: Mutex<Metadata>,
    pub(crate) caller: OnceLock<Caller>,
}

/// Who makes a call, as a [`Guard`](crate::Guard) has found out.
#[derive(Clone)]
pub struct Caller {
    /// Its name, for logs and records.
    pub name: Arc<str>,
    /// What else the guard knows, for code that knows the guard.
    pub details: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Caller").field(&self.name).finish()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("procedure", &self.procedure)
            .field("peer", &self.connection.peer)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The name under which the W3C trace context travels.
const TRACE_PARENT: &str = "traceparent";

impl Context {
    /// Which procedure was called.
    #[must_use]
    pub fn procedure(&self) -> ProcedureId {
        self.procedure
    }

    /// Where the call came from.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    /// When the caller stops waiting, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long the caller still waits, if it ever stops.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// What the caller sent beside the arguments.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Who calls; `None` while no guard has said so.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Says who calls: for a [`Guard`](crate::Guard). The first word stays.
    pub fn set_caller(&self, caller: Caller) {
        let _ = self.caller.set(caller);
    }

    /// Says something beside the result.
    pub fn set_reply_metadata(&self, name: &str, value: impl Into<Bytes>) {
        self.reply.lock().set(name, value);
    }

    /// Options for a call made on behalf of this one: what is left of its time, its trace, and the
    /// caller's token, so that nobody gets to do through us what they may not do themselves. A
    /// caller without a token stays one.
    #[must_use]
    pub fn options(&self) -> CallOptions {
        let mut options = CallOptions {
            deadline: self.deadline,
            ..CallOptions::default()
        };
        if let Some(trace) = self.metadata.get(TRACE_PARENT) {
            options.metadata.set(TRACE_PARENT, trace.clone());
        }
        let token = self.metadata.get(AUTHORIZATION).cloned();
        options
            .metadata
            .set(AUTHORIZATION, token.unwrap_or_default());
        options
    }
}
