//! One service, called in JSON by the names it describes itself with.

use std::fmt;
use std::net::SocketAddr;

use rpc::{
    Access, BuiltinClient, CallOptions, Channel, Code, Codec, Description, Empty, Error,
    ProcedureDescription, Streaming,
};
use serde_json::Value;

/// A service that can be called without knowing its types.
pub struct Service {
    name: String,
    channel: Channel,
    options: CallOptions,
    description: Description,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Asks the server at `address` what it can do. `name` is for messages.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn at(name: &str, address: SocketAddr, options: CallOptions) -> Result<Self, Error> {
        Self::through(name, Channel::to(address), options).await
    }

    /// Asks whoever answers on `channel` what it can do. `name` is for messages.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn through(
        name: &str,
        channel: Channel,
        options: CallOptions,
    ) -> Result<Self, Error> {
        let builtin = BuiltinClient::new(channel.clone()).with(options.clone());
        let description = builtin.describe(&Empty {}).await?;
        let options = CallOptions {
            codec: Codec::Json,
            ..options
        };
        Ok(Self {
            name: name.to_owned(),
            channel,
            options,
            description,
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Finds a procedure by its name or its number.
    ///
    /// # Errors
    /// `UnknownProcedure`; the hint names the ones there are.
    pub fn procedure(&self, name: &str) -> Result<&ProcedureDescription, Error> {
        let wanted = |p: &&ProcedureDescription| p.name == name || p.id.to_string() == name;
        let procedures = &self.description.procedures;
        // A service's own procedure of a built-in one's name is the one that is meant.
        procedures.iter().rev().find(wanted).ok_or_else(|| {
            let message = format!("{} has no procedure {name:?}", self.name);
            let names: Vec<&str> = procedures.iter().map(|p| p.name.as_str()).collect();
            Error::new(Code::UnknownProcedure, "unknown-procedure", message)
                .with_hint(format!("it has {}", names.join(", ")))
        })
    }

    /// Calls a procedure that has one answer.
    ///
    /// # Errors
    /// What the server answered, or why it could not be asked.
    pub async fn call(
        &self,
        procedure: &ProcedureDescription,
        arguments: &Value,
    ) -> Result<Value, Error> {
        self.channel
            .call(procedure.id, access(procedure), arguments, &self.options)
            .await
    }

    /// Calls a procedure that has a stream of answers.
    ///
    /// # Errors
    /// Why the stream could not be opened; what ends it later comes from the stream itself.
    pub async fn open(
        &self,
        procedure: &ProcedureDescription,
        arguments: &Value,
    ) -> Result<Streaming<Value>, Error> {
        self.channel
            .open(procedure.id, arguments, &self.options)
            .await
    }
}

/// What a call may do. A word from a newer server is taken for the most careful one.
fn access(procedure: &ProcedureDescription) -> Access {
    [Access::Read, Access::Idempotent]
        .into_iter()
        .find(|access| access.as_str() == procedure.access)
        .unwrap_or(Access::Write)
}
