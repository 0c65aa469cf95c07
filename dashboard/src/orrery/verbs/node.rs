//! `orrery node`: what one machine is used for.

use clap::{Args, Subcommand};
use client::scheduling::{RemoveNodeArgs, SetDutyArgs, SetDutyReply};

use super::count;
use crate::failure::Failure;
use crate::session::Session;

/// Change what a machine is used for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery node drain berlin-3         move what it has elsewhere, then take it down
  orrery node cordon berlin-3        nothing new, what it has stays
  orrery node open berlin-3          it takes work again
  orrery node rm berlin-3            forget it")]
pub(crate) struct Node {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep what it has and give it nothing new.
    Cordon(Which),
    /// Move what it has elsewhere, each instance after its replacement is healthy.
    Drain(Which),
    /// Let it take work again.
    #[command(visible_alias = "uncordon")]
    Open(Which),
    /// Forget a machine that is lost, or that has nothing and takes nothing.
    #[command(visible_alias = "remove")]
    Rm(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Which machine.
    node: String,
}

impl Node {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Cordon(which) => set_duty(session, which.node, "cordoned").await,
            What::Drain(which) => set_duty(session, which.node, "draining").await,
            What::Open(which) => set_duty(session, which.node, "open").await,
            What::Rm(which) => remove(session, which.node).await,
        }
    }
}

async fn set_duty(session: &Session, node: String, duty: &str) -> Result<(), Failure> {
    let args = SetDutyArgs {
        node,
        duty: duty.to_owned(),
    };
    let call = session.scheduling();
    let reply = session.ask(call.set_duty(&args)).await?;
    session.out.one(&reply, || words(&args, &reply))?;
    if duty == "draining" && reply.instances > 0 {
        session.out.suggest("watch it", "orrery nodes".to_owned());
    }
    Ok(())
}

fn words(args: &SetDutyArgs, reply: &SetDutyReply) -> String {
    let (node, duty) = (&args.node, &args.duty);
    let before = if reply.changed { "" } else { ", as before" };
    let instances = count(reply.instances as usize, "instance");
    format!("{node}: {duty}{before}, {instances}")
}

async fn remove(session: &Session, node: String) -> Result<(), Failure> {
    let args = RemoveNodeArgs { node };
    let call = session.scheduling();
    let reply = session.ask(call.remove_node(&args)).await?;
    session
        .out
        .one(&reply, || format!("{}: removed", args.node))
}
