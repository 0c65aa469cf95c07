//! What instances wrote.

use std::path::Path;

use model::{InstanceId, ServiceName, Slot};
use rpc::{Code, Error, StreamSender};
use scheduling::{LogLine, LogStream, LogsArgs, reason};
use supervision::logs::{self, Line, Reader, Stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Handlers;
use super::errors::{instance_id, refused, service_name, unknown_instance, unknown_service};
use crate::brain::View;

/// Lines under way from the readers to the stream.
const LINES_QUEUED: usize = 256;

pub(super) async fn logs(
    handlers: &Handlers,
    args: LogsArgs,
    out: StreamSender<LogLine>,
) -> Result<(), Error> {
    let target = target(&args.target)?;
    let local = handlers.local.clone();
    let found = handlers
        .brain
        .read(move |view| instances(view, &target, &local));
    let found = found.await.map_err(refused)??;
    let streams: Vec<Stream> = Stream::ALL
        .into_iter()
        .filter(|stream| args.stream.is_none_or(|only| only == wire(*stream)))
        .collect();
    let (sender, mut lines) = mpsc::channel(LINES_QUEUED);
    let mut readers = JoinSet::new();
    for id in &found {
        for stream in &streams {
            let (id, stream) = (id.clone(), *stream);
            let tail = read_tail(&handlers.log_dir, &id, stream, args.tail as usize)?;
            let next = tail.next;
            for line in tail.lines {
                out.send(&line).await?;
            }
            if args.follow {
                let reader = Reader::at(&handlers.log_dir, &id, stream, next);
                readers.spawn(follow(reader, id, stream, sender.clone()));
            }
        }
    }
    drop(sender);
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => out.send(&line).await?,
                None => return Ok(()),
            },
            () = out.closed() => return Ok(()),
        }
    }
}

async fn follow(mut reader: Reader, id: InstanceId, stream: Stream, out: mpsc::Sender<LogLine>) {
    while let Ok(lines) = reader.next_lines().await {
        for line in lines {
            if out.send(render(&id, stream, &line)).await.is_err() {
                return;
            }
        }
    }
}

struct Tail {
    lines: Vec<LogLine>,
    /// Where a reader goes on.
    next: u64,
}

fn read_tail(dir: &Path, id: &InstanceId, stream: Stream, count: usize) -> Result<Tail, Error> {
    let unreadable = |e: std::io::Error| {
        Error::internal(
            "unreadable-log",
            format!("the log of {id} cannot be read: {e}"),
        )
    };
    let mut reader = Reader::before_end(dir, id, stream, 0).map_err(unreadable)?;
    // To the end: what is read from here on is new.
    while !reader.read().map_err(unreadable)?.is_empty() {}
    let lines = logs::tail(dir, id, stream, count).map_err(unreadable)?;
    Ok(Tail {
        lines: lines.iter().map(|line| render(id, stream, line)).collect(),
        next: reader.position(),
    })
}

fn render(id: &InstanceId, stream: Stream, line: &Line) -> LogLine {
    LogLine {
        instance: id.to_string(),
        stream: wire(stream),
        text: line.text(),
    }
}

fn wire(stream: Stream) -> LogStream {
    match stream {
        Stream::Stdout => LogStream::Stdout,
        Stream::Stderr => LogStream::Stderr,
    }
}

/// What somebody wants to know about.
pub(super) enum Target {
    Service(ServiceName),
    Slot(Slot),
    Instance(InstanceId),
}

/// `echo`, `echo.2` or `echo.2.7`.
pub(super) fn target(given: &str) -> Result<Target, Error> {
    match given.matches('.').count() {
        0 => service_name(given).map(Target::Service),
        1 => {
            // An instance id without its generation.
            let id = instance_id(&format!("{given}.0"))?;
            Ok(Target::Slot(id.slot))
        }
        _ => instance_id(given).map(Target::Instance),
    }
}

fn instances(
    view: &View<'_>,
    target: &Target,
    local: &model::NodeId,
) -> Result<Vec<InstanceId>, Error> {
    let snapshot = view.snapshot;
    let service = match target {
        Target::Service(name) => name,
        Target::Slot(slot) => &slot.service,
        Target::Instance(id) => &id.slot.service,
    };
    let wanted = |id: &InstanceId| match target {
        Target::Service(_) => true,
        Target::Slot(slot) => id.slot == *slot,
        Target::Instance(one) => id == one,
    };
    let mut newest: Vec<&model::Instance> = Vec::new();
    for instance in snapshot.instances_of(service).filter(|i| wanted(&i.id)) {
        match newest.last_mut() {
            Some(last) if last.id.slot == instance.id.slot => *last = instance,
            _ => newest.push(instance),
        }
    }
    if newest.is_empty() {
        return Err(match target {
            Target::Instance(id) => unknown_instance(id),
            _ => unknown_service(service),
        });
    }
    let away = newest
        .iter()
        .find(|i| i.node.as_ref().is_some_and(|n| n != local));
    if let Some(away) = away {
        let node = away.node.as_ref().map_or("", |node| node.as_str());
        let message = format!("{} runs on node {node}, and its log is there", away.id);
        return Err(
            Error::new(Code::Unavailable, reason::NOT_LOCAL, message).with_hint(format!(
                "look into the data directory of the agent on {node}"
            )),
        );
    }
    Ok(newest.into_iter().map(|i| i.id.clone()).collect())
}
