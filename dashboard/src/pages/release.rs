//! One release, as it goes.

use axum::extract::Path;
use axum::response::Response;
use client::release::{ReleaseArgs, ReleaseInfo};
use maud::{Markup, html};

use super::releases::{phase, version};
use super::{Asked, Page, Problem, button, dangerous, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(Path(id): Path<String>, asked: Asked) -> Response {
    match get(&asked.session, id).await {
        Ok(release) => page(&asked.session, &release).polled().response(&asked),
        Err(error) => Problem::from(error).response(&asked.session),
    }
}

async fn get(session: &Session, id: String) -> Result<ReleaseInfo, rpc::Error> {
    let releases = session.look.fleet().await?.release().await?;
    releases.get(&ReleaseArgs { id }).await
}

fn page(session: &Session, release: &ReleaseInfo) -> Page {
    let ReleaseInfo { step, steps, .. } = *release;
    let main = html! {
        h1 { (release.id) ": " (release.service) " " (phase(release)) }
        p {
            progress value=(step) max=(steps) { (step) " of " (steps) }
            " step " (step) " of " (steps)
            @if !release.waiting.is_empty() { ", " (release.waiting) }
        }
        @if !release.why.is_empty() { p { (release.why) } }
        dl.facts {
            dt { "From" } dd { (version(&release.from)) }
            dt { "To" } dd { (version(&release.to)) }
            dt { "Begun" } dd { (moment(release.created_ms)) " by " (release.by) }
        }
        (actions(session, release))
        h2 { "What happened" }
        table {
            tbody #log {
                @for entry in release.log.iter().rev() {
                    tr { td { (moment(entry.at_ms)) } td { (entry.what) } }
                }
            }
        }
    };
    let command = format!("orrery release show {}", release.id);
    Page::new(&release.id, &command, release, main)
}

fn actions(session: &Session, release: &ReleaseInfo) -> Markup {
    let act = |action: &str| path(&["releases", &release.id, action]);
    let may = |procedure: &str| session.may("release", procedure, true);
    if release.phase != "running" {
        return html! {};
    }
    html! {
        div.actions {
            @if may("advance") { (button(session, &act("advance"), "Advance")) }
            @if release.paused && may("resume") { (button(session, &act("resume"), "Go on")) }
            @if !release.paused && may("pause") { (button(session, &act("pause"), "Pause")) }
            @if may("rollback") {
                (dangerous(session, &act("rollback"), "Roll back", &release.id))
            }
        }
    }
}
