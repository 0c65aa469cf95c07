//! Arrows between our crates: down the floors only, never in a circle, few, and all of them written
//! down in `docs/arrows.txt`.

use super::Finding;
use super::floors;
use super::golden::Goldens;
use super::graph::Graph;
use super::workspace::{Kind, Member, Workspace};

const FILE: &str = "docs/arrows.txt";
const HEADER: &str = "Every dependency between our crates, written by `cargo xtask tidy --bless`.
A new line here is a new arrow in the house: argue for it in the commit.";

/// Drawn arrows for every two crates: 1.5 a crate.
const ARROWS_MAX_PER_TWO_CRATES: usize = 3;
const CHAIN_CRATES_MAX: usize = 10;

pub(crate) fn check(workspace: &Workspace, goldens: &mut Goldens, findings: &mut Vec<Finding>) {
    let mut graph = Graph::default();
    let mut lines = Vec::new();
    for member in &workspace.members {
        graph.add_node(&member.name);
        if floors::floor_of(&member.name).is_none() {
            findings.push(finding(
                member,
                0,
                member.name.clone(),
                format!("{} stands on no floor", member.name),
                "give it its place in xtask/src/tidy/floors.rs and in ARCHITECTURE.md",
            ));
        }
        let inside = member
            .dependencies
            .iter()
            .filter(|d| workspace.contains(&d.name));
        for dependency in inside {
            let arrow = format!("{} -> {}", member.name, dependency.name);
            graph.add_arrow(&member.name, &dependency.name);
            lines.push(format!("{arrow}{}", suffix(dependency.kind)));
            if let Some(why) = floors::objection(&member.name, &dependency.name) {
                let what = format!("{arrow}: {why}");
                findings.push(finding(
                    member,
                    member.dependency_line(&workspace.root, &dependency.name),
                    arrow,
                    what,
                    "turn it round, or move the shared piece down a floor (ARCHITECTURE.md)",
                ));
            }
        }
    }
    shape(&graph, findings);
    lines.sort();
    lines.dedup();
    goldens.settle(FILE, HEADER, &lines, findings);
}

/// The drawing as a whole: no circle, few arrows, no long chain.
fn shape(graph: &Graph, findings: &mut Vec<Finding>) {
    let mut report = |subject: &str, what: String, advice: &str| {
        findings.push(Finding {
            path: FILE.into(),
            line: 0,
            rule: "arrows",
            subject: subject.into(),
            what,
            advice: advice.into(),
        });
    };
    if let Some(cycle) = graph.cycle() {
        let circle = cycle.join(" -> ");
        report(
            "circle",
            format!("a circle: {circle}"),
            "take one of its arrows out; \
            dev-dependencies count (move the test to the upper crate)",
        );
        return;
    }
    let (drawn, crates) = (graph.drawn_arrows(), graph.node_count());
    if drawn * 2 > crates * ARROWS_MAX_PER_TWO_CRATES {
        let what = format!("{drawn} drawn arrows for {crates} crates, at most 1.5 a crate");
        report(
            "count",
            what,
            "let a crate use what its neighbour already brings",
        );
    }
    let chain = graph.longest_chain();
    if chain.len() > CHAIN_CRATES_MAX {
        let (length, way) = (chain.len(), chain.join(" -> "));
        let what = format!("a chain of {length} crates, at most {CHAIN_CRATES_MAX}: {way}");
        report(
            "chain",
            what,
            "shorten it: a build and a reader walk it end to end",
        );
    }
}

fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Normal => "",
        Kind::Build => " (build)",
        Kind::Dev => " (dev)",
    }
}

fn finding(member: &Member, line: usize, subject: String, what: String, advice: &str) -> Finding {
    let advice = advice.into();
    Finding {
        path: member.manifest(),
        line,
        rule: "arrows",
        subject,
        what,
        advice,
    }
}
