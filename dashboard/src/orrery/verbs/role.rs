//! `orrery role`: grants under a name.

use clap::{Args, Subcommand};
use client::security::{self, DeleteRoleArgs, SetRoleArgs};
use rpc::Empty;

use super::token::client;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::output::{Cell, Table};
use crate::session::Session;

/// List, make and remove roles: grants that many tokens share.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery role list
  orrery role set releaser release:*:write '*:*:read'
  orrery role delete releaser")]
pub(crate) struct Role {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List roles and what they are good for.
    List,
    /// Make a role, or change it for everybody who has it.
    Set {
        /// Its name.
        name: String,
        /// SERVICE:PROCEDURE:read or :write, * for any.
        #[arg(required = true)]
        grants: Vec<String>,
    },
    /// Remove a role that no token has.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

impl Role {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let security = client(session).await?;
        match self.what {
            What::List => {
                let roles = security.list_roles(&Empty {}).await?.roles;
                session.out.list(&roles, || table(&roles))
            }
            What::Set { name, grants } => {
                let words = format!("role {name}: {}", grants.join(" "));
                let args = SetRoleArgs { name, grants };
                let empty = security.set_role(&args).await?;
                session.out.one(&empty, || words)
            }
            What::Delete { name, confirm } => {
                confirm.ask(&session.out, &format!("There is then no role {name}."))?;
                let args = DeleteRoleArgs { name: name.clone() };
                let empty = security.delete_role(&args).await?;
                session.out.one(&empty, || format!("role {name}: removed"))
            }
        }
    }
}

fn table(roles: &[security::Role]) -> Table {
    let mut table = Table::new(&["ROLE", "MAY"]);
    for role in roles {
        table.row([Cell::new(&role.name), Cell::new(role.grants.join(" "))]);
    }
    table
}
