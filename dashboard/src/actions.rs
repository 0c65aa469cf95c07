//! What an operator does: asked of the services with the operator's own token, which decide.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use client::configuration::{Compare, RollbackArgs, SetArgs};
use client::pipelines::{RestartArgs, RestartMode, StopArgs, StopMode};
use client::release::{self, ReleaseArgs};
use client::scheduling::{
    self, DeleteServiceArgs, ScaleServiceArgs, SetDutyArgs, StopInstanceArgs,
};
use client::security::{CreateTokenArgs, RevokeTokenArgs};

use crate::pages::{Fields, Problem, configuration, path};
use crate::sessions::Session;

type Caller = Extension<Arc<Session>>;
type Done = Result<String, Problem>;

/// Says what was done on the page that is shown next, or what was wrong.
fn answer(session: &Session, next: &str, done: Done) -> Response {
    match done {
        Ok(words) => {
            session.say(words);
            Redirect::to(next).into_response()
        }
        Err(problem) => problem.response(session),
    }
}

fn unknown(action: &str) -> Problem {
    let words = format!("nothing is called {action:?} here");
    Problem::new(StatusCode::NOT_FOUND, &words)
}

/// What hurts is done only by who wrote down what it is done to.
fn confirmed(fields: &Fields, name: &str) -> Result<(), Problem> {
    if fields.text("confirm") == name {
        return Ok(());
    }
    let words = format!("nothing was done: it has to be confirmed by writing {name}");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &words).hint("go back, and write the name"))
}

/// Scales, restarts or deletes a service.
pub(crate) async fn service(
    Extension(session): Caller,
    Path((name, action)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let next = if action == "delete" {
        "/".to_owned()
    } else {
        path(&["services", &name])
    };
    let done = match action.as_str() {
        "scale" => scale(&session, name, &fields).await,
        "restart" => restart(&session, name).await,
        "delete" => delete(&session, name, &fields).await,
        _ => Err(unknown(&action)),
    };
    answer(&session, &next, done)
}

async fn scale(session: &Session, name: String, fields: &Fields) -> Done {
    let replicas: i32 = fields.text("replicas").parse().map_err(|_| {
        let words = "how many is a number, from 0 to 100000";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    })?;
    if replicas == 0 {
        confirmed(fields, &name)?;
    }
    let args = ScaleServiceArgs { name, replicas };
    let reply = session
        .look
        .fleet()
        .await?
        .scheduling()
        .scale_service(&args)
        .await?;
    let (before, now) = (reply.replicas_before, reply.service.replicas);
    Ok(format!("{}: {before} → {now} replicas", args.name))
}

async fn restart(session: &Session, target: String) -> Done {
    let args = scheduling::RestartArgs { target };
    session
        .look
        .fleet()
        .await?
        .scheduling()
        .restart(&args)
        .await?;
    Ok(format!("{} is being restarted", args.target))
}

async fn delete(session: &Session, name: String, fields: &Fields) -> Done {
    confirmed(fields, &name)?;
    let args = DeleteServiceArgs { name };
    let reply = session
        .look
        .fleet()
        .await?
        .scheduling()
        .delete_service(&args)
        .await?;
    Ok(format!("{}: {} instances end", args.name, reply.ending))
}

/// Stops or restarts an instance.
pub(crate) async fn instance(
    Extension(session): Caller,
    Path((id, action)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let service = id.split('.').next().unwrap_or_default();
    let next = path(&["services", service]);
    let done = match action.as_str() {
        "stop" => stop(&session, id, &fields).await,
        "restart" => restart(&session, id).await,
        _ => Err(unknown(&action)),
    };
    answer(&session, &next, done)
}

async fn stop(session: &Session, instance: String, fields: &Fields) -> Done {
    confirmed(fields, &instance)?;
    let args = StopInstanceArgs { instance };
    session
        .look
        .fleet()
        .await?
        .scheduling()
        .stop_instance(&args)
        .await?;
    Ok(format!("{} is being stopped", args.instance))
}

/// Opens, cordons or drains a machine.
pub(crate) async fn node(
    Extension(session): Caller,
    Path((node, duty)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let done = set_duty(&session, SetDutyArgs { node, duty }, &fields).await;
    answer(&session, "/nodes", done)
}

async fn set_duty(session: &Session, args: SetDutyArgs, fields: &Fields) -> Done {
    if args.duty == "draining" {
        confirmed(fields, &args.node)?;
    }
    let reply = session
        .look
        .fleet()
        .await?
        .scheduling()
        .set_duty(&args)
        .await?;
    let (node, duty, instances) = (args.node, args.duty, reply.instances);
    Ok(format!("{node} is {duty} now, with {instances} instances"))
}

/// Steers a release.
pub(crate) async fn release(
    Extension(session): Caller,
    Path((id, action)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let next = path(&["releases", &id]);
    let done = steer(&session, id, &action, &fields).await;
    answer(&session, &next, done)
}

async fn steer(session: &Session, id: String, action: &str, fields: &Fields) -> Done {
    let releases = session.look.fleet().await?.release().await?;
    let which = ReleaseArgs { id: id.clone() };
    let release = match action {
        "advance" => releases.advance(&which).await?,
        "pause" => releases.pause(&which).await?,
        "resume" => releases.resume(&which).await?,
        "rollback" => {
            confirmed(fields, &id)?;
            let why = fields.text("why").to_owned();
            releases
                .rollback(&release::RollbackArgs { id, why })
                .await?
        }
        _ => return Err(unknown(action)),
    };
    let paused = if release.paused { ", paused" } else { "" };
    Ok(format!("{} is {}{paused}", release.id, release.phase))
}

/// Makes a token. It is shown on the next page, once.
pub(crate) async fn make_token(Extension(session): Caller, fields: Fields) -> Response {
    let done = make(&session, &fields).await;
    answer(&session, "/tokens", done)
}

async fn make(session: &Session, fields: &Fields) -> Done {
    let words = |field: &str| -> Vec<String> {
        let words = fields.text(field).split_whitespace();
        words.map(str::to_owned).collect()
    };
    let hours: Option<u64> = fields.text("hours").parse().ok();
    let args = CreateTokenArgs {
        name: fields.text("name").to_owned(),
        grants: words("grants"),
        roles: words("roles"),
        ttl_ms: hours.map(|hours| hours.saturating_mul(3_600_000)),
    };
    let security = session.look.fleet().await?.security().await?;
    let made = security.create_token(&args).await?;
    let (id, token) = (made.id, made.token);
    Ok(format!("Token {id}, shown this once: {token}"))
}

/// Takes a token back.
pub(crate) async fn revoke_token(
    Extension(session): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Response {
    let done = revoke(&session, id, &fields).await;
    answer(&session, "/tokens", done)
}

async fn revoke(session: &Session, id: String, fields: &Fields) -> Done {
    confirmed(fields, &id)?;
    let security = session.look.fleet().await?.security().await?;
    let args = RevokeTokenArgs { id };
    security.revoke_token(&args).await?;
    Ok(format!("Token {} is good for nothing any more", args.id))
}

/// Sets a value of the configuration.
pub(crate) async fn set_value(Extension(session): Caller, fields: Fields) -> Response {
    let key = fields.text("key").to_owned();
    let next = configuration::place(&key);
    let done = set(&session, key, &fields).await;
    answer(&session, &next, done)
}

async fn set(session: &Session, key: String, fields: &Fields) -> Done {
    let client = session.look.fleet().await?.configuration().await?;
    let args = SetArgs::new(key, fields.text("value"));
    let revision = client.set(&args).await?.revision;
    Ok(format!(
        "{} is {}, revision {revision}",
        args.key, args.value
    ))
}

/// Brings back what a key was.
pub(crate) async fn roll_back_value(
    Extension(session): Caller,
    Path((service, name, to)): Path<(String, String, u64)>,
    fields: Fields,
) -> Response {
    let key = format!("{service}/{name}");
    let next = configuration::place(&key);
    let done = bring_back(&session, key, to, &fields).await;
    answer(&session, &next, done)
}

async fn bring_back(session: &Session, key: String, to: u64, fields: &Fields) -> Done {
    confirmed(fields, &key)?;
    let client = session.look.fleet().await?.configuration().await?;
    let compare = Compare::Anything;
    let args = RollbackArgs { key, to, compare };
    client.rollback(&args).await?;
    Ok(format!("{} is as in write {to} again", args.key))
}

/// Restarts a streaming job, or stops it with a last checkpoint.
pub(crate) async fn pipeline(
    Extension(session): Caller,
    Path((name, action)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let next = path(&["pipelines", &name]);
    let done = match action.as_str() {
        "restart" => begin_again(&session, name).await,
        "stop" => end_safely(&session, name, &fields).await,
        _ => Err(unknown(&action)),
    };
    answer(&session, &next, done)
}

async fn begin_again(session: &Session, name: String) -> Done {
    let client = session.look.fleet().await?.pipelines().await?;
    let args = RestartArgs {
        name,
        mode: RestartMode::Safe,
        ignore_state_before_epoch: None,
    };
    client.restart(&args).await?;
    Ok(format!(
        "{} starts again from its last checkpoint",
        args.name
    ))
}

async fn end_safely(session: &Session, name: String, fields: &Fields) -> Done {
    confirmed(fields, &name)?;
    let client = session.look.fleet().await?.pipelines().await?;
    let mode = StopMode::Checkpoint;
    let args = StopArgs { name, mode };
    client.stop(&args).await?;
    Ok(format!("{} stops with a last checkpoint", args.name))
}
