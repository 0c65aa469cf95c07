//! Releases, newest first.

use axum::response::Response;
use client::release::{ListArgs, Program, ReleaseInfo, Version};
use maud::{Markup, html};

use super::{Asked, Page, Problem, count, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let releases = match list(&asked.session).await {
        Ok(releases) => releases,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let wanted = |release: &&ReleaseInfo| release.service.contains(&asked.filter);
    let shown: Vec<&ReleaseInfo> = releases.iter().filter(wanted).collect();
    let main = html! {
        h1 { (count(shown.len(), "release")) }
        @if shown.is_empty() {
            p { "The first one: " code { "orrery release start echo --bin server_v2" } }
        } @else { (table(&shown)) }
    };
    Page::new("Releases", "orrery release list", &shown, main)
        .filtered()
        .polled()
        .response(&asked)
}

async fn list(session: &Session) -> Result<Vec<ReleaseInfo>, rpc::Error> {
    let releases = session.look.fleet().await?.release().await?;
    Ok(releases.list(&ListArgs::default()).await?.releases)
}

fn table(releases: &[&ReleaseInfo]) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Release" } th { "Service" } th { "Phase" } th { "Step" } th { "To" }
                    th { "Begun" } th { "Why" }
                }
            }
            tbody #releases {
                @for release in releases {
                    tr id={ "r-" (release.id) } {
                        td { a href=(path(&["releases", &release.id])) { (release.id) } }
                        td { (release.service) }
                        td { (phase(release)) }
                        td { (release.step) "/" (release.steps) }
                        td { (version(&release.to)) }
                        td { (moment(release.created_ms)) }
                        td {
                            @if release.why.is_empty() { (release.waiting) }
                            @else { (release.why) }
                        }
                    }
                }
            }
        }
    }
}

/// A phase: a shape beside the colour, for who sees no colours.
pub(crate) fn phase(release: &ReleaseInfo) -> Markup {
    let (tone, shape) = match release.phase.as_str() {
        "done" => ("good", "●"),
        "running" => ("watch", "▲"),
        "superseded" => ("dim", "○"),
        _ => ("bad", "✖"),
    };
    html! {
        span.(tone) {
            span aria-hidden="true" { (shape) } " " (release.phase)
            @if release.paused { " (paused)" }
        }
    }
}

/// What a version runs, in short.
pub(crate) fn version(version: &Version) -> String {
    match &version.program {
        Program::Cargo { bin_name, .. } => bin_name.clone(),
        Program::Command { program, args } => format!("{program} {}", args.join(" ")),
    }
}
