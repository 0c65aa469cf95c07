//! `orrery describe`: what services can do.

use std::fmt::Write;
use std::net::SocketAddr;

use clap::Args;
use rpc::{Description, ProcedureDescription};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::escape::line;
use crate::output::{Cell, Table, Tone};
use crate::schema::Schema;
use crate::session::Session;

/// Show the procedures of a service, or the arguments and the answer of one of them.
///
/// Without a service: the services there are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery describe
  orrery describe scheduling
  orrery describe scheduling scale_service
  orrery describe echo -o json | jq '.procedures[].name'")]
pub(crate) struct Describe {
    /// Which service.
    service: Option<String>,
    /// Which procedure: its name or its number.
    procedure: Option<String>,
    /// Ask the server at this address, and ask nobody where the service is.
    #[arg(long, value_parser = crate::cli::address)]
    address: Option<SocketAddr>,
}

impl Describe {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let name = match (self.service, self.address) {
            (Some(name), _) => name,
            (None, Some(address)) => address.to_string(),
            (None, None) => return services(session).await,
        };
        let service = session.service(&name, self.address).await?;
        let Some(procedure) = self.procedure else {
            let description = service.description();
            session
                .out
                .one(&whole(description), || overview(session, description))?;
            let next = format!("orrery describe {name} PROCEDURE");
            session.out.suggest("its arguments", next);
            return Ok(());
        };
        let procedure = service.procedure(&procedure)?;
        let document = one(procedure);
        session
            .out
            .one(&document, || detail(&name, procedure, &document))
    }
}

async fn services(session: &Session) -> Result<(), Failure> {
    let names = session.known().await?;
    session.out.list(&names, || {
        let mut table = Table::new(&["SERVICE"]);
        for name in &names {
            table.row([Cell::new(name)]);
        }
        table
    })?;
    session
        .out
        .suggest("its procedures", "orrery describe SERVICE");
    Ok(())
}

/// The wire's struct, with schemas as JSON instead of as text of JSON.
fn whole(description: &Description) -> Value {
    let procedures: Vec<Value> = description.procedures.iter().map(one).collect();
    let Description { name, version, .. } = description;
    json!({ "name": name, "version": version, "procedures": procedures })
}

fn one(procedure: &ProcedureDescription) -> Value {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    json!({
        "id": procedure.id,
        "name": procedure.name,
        "about": procedure.about,
        "access": procedure.access,
        "stream": procedure.stream,
        "arguments": schema(&procedure.arguments),
        "result": schema(&procedure.result),
    })
}

fn overview(session: &Session, description: &Description) -> String {
    let mut table = Table::new(&["ID", "PROCEDURE", "MAY", "ANSWERS", "WHAT FOR"]);
    for procedure in &description.procedures {
        let tone = if procedure.access == "write" {
            Tone::Watch
        } else {
            Tone::Plain
        };
        let answers = if procedure.stream { "stream" } else { "once" };
        let about = procedure.about.split_whitespace();
        table.row([
            Cell::number(procedure.id),
            Cell::new(&procedure.name),
            Cell::new(&procedure.access).tone(tone),
            Cell::new(answers),
            Cell::new(about.collect::<Vec<_>>().join(" ")),
        ]);
    }
    let (name, version) = (line(&description.name), line(&description.version));
    format!("{name} {version}\n\n{}", session.out.fit(&table))
}

fn detail(service: &str, procedure: &ProcedureDescription, document: &Value) -> String {
    let (arguments, result) = (
        Schema::new(&document["arguments"]),
        Schema::new(&document["result"]),
    );
    let name = line(&procedure.name);
    let answer = if procedure.stream {
        "each item"
    } else {
        "answer"
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} {name} ({})",
        procedure.id,
        line(&procedure.access)
    );
    for about in procedure.about.lines() {
        let _ = writeln!(text, "  {}", line(about.trim()));
    }
    let _ = write!(text, "\narguments\n{}", arguments.fields(2));
    let _ = write!(text, "\n{answer}\n{}", result.fields(2));
    let example = arguments.example().to_string();
    let example = line(&example);
    let _ = writeln!(
        text,
        "\nexample\n  orrery call {service} {name} '{example}'"
    );
    text
}
