//! `orrery call`: any procedure of any service, in JSON.

use std::io::{self, Read};
use std::net::SocketAddr;

use clap::Args;
use client::Service;
use rpc::{Code, Error, ProcedureDescription};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::escape;
use crate::session::Session;

/// Call any procedure of any service; arguments and answer are JSON.
///
/// A stream of answers is printed one document a line, until it ends or --timeout is over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery call echo echo '{\"text\": \"hello\"}'
  orrery call scheduling events '{\"tail\": 10}'
  orrery call echo health --address 127.0.0.1:10101
  jq -n '{name: \"echo\"}' | orrery call scheduling get_service -
  orrery describe echo               what it has, and with which arguments")]
pub(crate) struct Call {
    /// Which service.
    service: String,
    /// Which procedure: its name or its number.
    procedure: String,
    /// Its arguments as a JSON object; - is stdin.
    #[arg(default_value = "{}", value_name = "JSON")]
    arguments: String,
    /// Call the server at this address, and ask nobody where the service is.
    #[arg(long, value_parser = crate::cli::address)]
    address: Option<SocketAddr>,
}

impl Call {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let arguments = self.read_arguments()?;
        let service = session.service(&self.service, self.address).await?;
        let procedure = service.procedure(&self.procedure)?;
        if procedure.stream {
            return self.stream(session, &service, procedure, &arguments).await;
        }
        let answer = service.call(procedure, &arguments).await;
        let answer = answer.map_err(|error| self.failure(error, procedure))?;
        session.out.one(&answer, || pretty(&answer))
    }

    async fn stream(
        &self,
        session: &Session,
        service: &Service,
        procedure: &ProcedureDescription,
        arguments: &Value,
    ) -> Result<(), Failure> {
        let opened = service.open(procedure, arguments).await;
        let mut stream = opened.map_err(|error| self.failure(error, procedure))?;
        while let Some(item) = stream.next().await {
            match item {
                Ok(item) => session.out.json_line(&item)?,
                Err(error) if session.is_end_of_following(&error) => return Ok(()),
                Err(error) => return Err(self.failure(error, procedure)),
            }
        }
        Ok(())
    }

    fn read_arguments(&self) -> Result<Value, Failure> {
        let mut text = String::new();
        if self.arguments == "-" {
            io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|e| Failure::new(Exit::Failed, format!("failed to read stdin: {e}")))?;
        } else {
            text.clone_from(&self.arguments);
        }
        let (service, procedure) = (&self.service, &self.procedure);
        serde_json::from_str(&text).map_err(|e| {
            Failure::new(Exit::Usage, format!("the arguments are not JSON: {e}"))
                .hint(format!("orrery describe {service} {procedure}"))
        })
    }

    fn failure(&self, error: Error, procedure: &ProcedureDescription) -> Failure {
        let show = error.code == Code::BadPayload;
        let mut failure = Failure::from(error);
        if show {
            let next = format!("orrery describe {} {}", self.service, procedure.name);
            failure.hints = vec![format!("`{next}` shows the arguments")];
        }
        failure
    }
}

fn pretty(value: &Value) -> String {
    // A value that was read from JSON can be written as JSON.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    escape::json(&text).into_owned()
}
