//! Procedures 1 to 4: what every server answers.

use std::sync::{Arc, Weak};

use crate::server::Router;
use crate::service::Shape;
use crate::{Code, Context, Deserializable, Empty, Error, Serializable};

/// Whether a server should be given calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It is up and not ready yet.
    Starting,
    /// It is ready.
    Serving,
    /// It is up and cannot do its work now.
    Failing,
    /// It ends when its last call is over.
    Draining,
}

impl HealthState {
    pub(crate) fn to_wire(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_wire(byte: u8) -> Self {
        match byte {
            0 => Self::Starting,
            1 => Self::Serving,
            2 => Self::Failing,
            _ => Self::Draining,
        }
    }
}

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Health {
    /// Whether to give it calls.
    pub state: HealthState,
    /// The service's name.
    pub name: String,
    /// The server's version.
    pub version: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Its process.
    pub pid: u32,
}

/// One procedure, as far as a caller needs to know it.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct ProcedureDescription {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// `read`, `idempotent` or `write`.
    pub access: String,
    /// Whether it answers with a stream.
    pub stream: bool,
    /// JSON schema of the arguments, as text.
    pub arguments: String,
    /// JSON schema of the result or of each item, as text.
    pub result: String,
}

/// What a server can do.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Description {
    /// The service's name.
    pub name: String,
    /// The server's version.
    pub version: String,
    /// Its procedures, by number.
    pub procedures: Vec<ProcedureDescription>,
}

/// Counters and gauges in OpenMetrics format.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct MetricsText {
    /// The text.
    pub text: String,
}

/// Asks a server to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct DrainArgs {}

crate::service! {
    /// What every server answers.
    trait Builtin, client BuiltinClient, dispatch BuiltinDispatch, name "builtin";
    /// Whether the server should be given calls.
    read 1 HEALTH_PROCEDURE health(Empty) -> Health;
    /// Name, version and procedures with the JSON schemas of their payloads.
    read 2 DESCRIBE_PROCEDURE describe(Empty) -> Description;
    /// Counters and gauges in OpenMetrics format.
    read 3 METRICS_PROCEDURE metrics(Empty) -> MetricsText;
    /// Ends the server when its last call is over.
    idempotent 4 DRAIN_PROCEDURE drain(DrainArgs) -> Empty;
}

/// The built-in procedures of one server.
pub struct Builtins(Weak<Router>);

impl Builtins {
    pub(crate) fn new(router: Weak<Router>) -> Self {
        Self(router)
    }

    fn router(&self) -> Result<Arc<Router>, Error> {
        self.0
            .upgrade()
            .ok_or_else(|| Error::new(Code::Unavailable, "gone", "the server ended"))
    }
}

impl Builtin for Builtins {
    async fn health(&self, _: &Context, _: Empty) -> Result<Health, Error> {
        let router = self.router()?;
        let uptime = router.started.elapsed().as_millis();
        Ok(Health {
            state: router.health(),
            name: router.name.clone(),
            version: router.version.clone(),
            uptime_ms: u64::try_from(uptime).unwrap_or(u64::MAX),
            pid: std::process::id(),
        })
    }

    async fn describe(&self, _: &Context, _: Empty) -> Result<Description, Error> {
        let router = self.router()?;
        let describe = |route: &crate::server::Route| {
            let procedure = route.procedure;
            ProcedureDescription {
                id: procedure.id,
                name: procedure.name.to_owned(),
                about: procedure.about.trim().to_owned(),
                access: procedure.access.as_str().to_owned(),
                stream: procedure.shape == Shape::Stream,
                arguments: (procedure.arguments)().as_value().to_string(),
                result: (procedure.result)().as_value().to_string(),
            }
        };
        Ok(Description {
            name: router.name.clone(),
            version: router.version.clone(),
            procedures: router.routes().map(describe).collect(),
        })
    }

    async fn metrics(&self, _: &Context, _: Empty) -> Result<MetricsText, Error> {
        Ok(MetricsText {
            text: self.router()?.metrics_text(),
        })
    }

    async fn drain(&self, _: &Context, _: DrainArgs) -> Result<Empty, Error> {
        self.router()?.drain();
        Ok(Empty {})
    }
}
