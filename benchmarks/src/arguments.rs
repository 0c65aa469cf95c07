//! The command line.

use clap::{Parser, ValueEnum};

use crate::against::{cache, proxy};
use crate::peers::Role;
use crate::report::Section;
use crate::{
    Failure, boot, calls, idle, instances, placements, replacement, store_commits, streams,
};

/// Measures the fleet beside its peers and its ceilings.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Arguments {
    /// What to measure: everything when absent, or `all`.
    #[arg(value_parser = parse_what)]
    what: Vec<Wanted>,
    /// Fewer points and shorter rounds: for a look while tuning, not for the record.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the tables to docs/benchmarks.md too.
    #[arg(long)]
    pub(crate) write: bool,
    /// Be a server instead: how this program starts its own children.
    #[arg(long, hide = true)]
    pub(crate) serve: Option<Role>,
    /// The core that the server stays on; any when absent.
    #[arg(long, hide = true)]
    pub(crate) core: Option<usize>,
}

/// The benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Calls per second and latency, beside raw TCP, tonic and tarpc.
    Rpc,
    /// What an open connection costs a server that has 10,000 of them.
    Idle,
    /// Durable commits per second, beside what the disk can do.
    Store,
    /// From the execution of `scheduling` to a healthy fleet.
    Boot,
    /// From `kill -9` of an instance to an answer of its replacement.
    Replacement,
    /// Values got and set by 64 callers, beside Redis.
    Caching,
    /// What a call through `route` costs more, beside HAProxy.
    Routing,
    /// 1,000 instances of a trivial program under one `scheduling`.
    Instances,
    /// 40,000 instances placed on 5,000 machines, through the whole path.
    Placements,
    /// Rows through two worker processes, beside what Flink reached on such a machine.
    Streams,
}

impl What {
    /// What measures it; `true` asks for a quick look.
    pub(crate) fn benchmark(self) -> fn(bool) -> Result<Section, Failure> {
        match self {
            Self::Rpc => calls::measure,
            Self::Idle => idle::measure,
            Self::Store => store_commits::measure,
            Self::Boot => boot::measure,
            Self::Replacement => replacement::measure,
            Self::Caching => cache::measure,
            Self::Routing => proxy::measure,
            Self::Instances => instances::measure,
            Self::Placements => placements::measure,
            Self::Streams => streams::measure,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    All,
    One(What),
}

fn parse_what(word: &str) -> Result<Wanted, String> {
    if word == "all" {
        return Ok(Wanted::All);
    }
    What::from_str(word, false).map(Wanted::One).map_err(|_| {
        let names: Vec<String> = What::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        format!("there are {} and all", names.join(", "))
    })
}

impl Arguments {
    /// The benchmarks asked for, in the order of the report.
    pub(crate) fn wanted(&self) -> Vec<What> {
        let asked = |one: &What| {
            self.what.is_empty()
                || self.what.iter().any(|wanted| match wanted {
                    Wanted::All => true,
                    Wanted::One(what) => what == one,
                })
        };
        What::value_variants()
            .iter()
            .copied()
            .filter(asked)
            .collect()
    }
}
