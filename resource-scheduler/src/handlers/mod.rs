//! One function per procedure.

mod explain;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use model::{InstanceId, ServiceName, Wishes};
use placement::Task;
use resource_scheduler::{
    ExplainArgs, ExplainReply, LeaderReply, PREVIEW_MAX, PreviewArgs, PreviewReply, ResignReply,
    ResourceScheduler, StatsReply, reason,
};
use rpc::{Code, Context, Empty, Error};

use crate::decide::refusal;
use crate::engine::Engine;
use crate::mirror::{self, Mirror};

pub(crate) struct Handlers(pub(crate) Arc<Engine>);

impl ResourceScheduler for Handlers {
    async fn preview(&self, _: &Context, args: PreviewArgs) -> Result<PreviewReply, Error> {
        if args.count > PREVIEW_MAX {
            let message = format!("{} at once", args.count);
            return Err(Error::invalid(reason::TOO_MANY, message)
                .with_hint(format!("ask for at most {PREVIEW_MAX}")));
        }
        let mut mirror = self.0.mirror.lock();
        let task = asked(ready(&mut mirror)?, &args)?;
        let mut cluster = mirror.cluster.clone();
        drop(mirror);
        let mut placed = std::collections::BTreeMap::<String, u32>::new();
        for number in 0..args.count {
            match cluster.decide(&task) {
                Ok(choice) => {
                    *placed.entry(choice.seat.node.to_string()).or_default() += 1;
                    // A name that no instance can have.
                    let _ = cluster.place(&format!("?{number}"), &task, &choice.seat);
                }
                Err(rejection) => {
                    return Ok(PreviewReply {
                        placed: placed.into_iter().collect(),
                        nowhere: args.count - number,
                        why: refusal(&mut cluster, &task, &rejection),
                    });
                }
            }
        }
        Ok(PreviewReply {
            placed: placed.into_iter().collect(),
            nowhere: 0,
            why: String::new(),
        })
    }

    async fn explain(&self, _: &Context, args: ExplainArgs) -> Result<ExplainReply, Error> {
        let mut mirror = self.0.mirror.lock();
        explain::explain(ready(&mut mirror)?, args)
    }

    async fn stats(&self, _: &Context, _: Empty) -> Result<StatsReply, Error> {
        let engine = &self.0;
        let mirror = engine.mirror.lock();
        let stats = &engine.stats;
        let scale_up = mirror.queue.first_nowhere();
        Ok(StatsReply {
            leads: engine.lead.generation().is_some(),
            machines: mirror.cluster.machines() as u64,
            placed: mirror.cluster.placed() as u64,
            waiting: mirror.queue.len() as u64,
            decisions: stats.decisions.load(Relaxed),
            taken: stats.taken.load(Relaxed),
            refused: stats.refused.load(Relaxed),
            nowhere: stats.nowhere.load(Relaxed),
            decide_us_p50: stats.decide_us.quantile(50),
            decide_us_p99: stats.decide_us.quantile(99),
            placed_ms_p50: stats.placed_ms.quantile(50),
            placed_ms_p99: stats.placed_ms.quantile(99),
            scale_up: scale_up.map_or_else(String::new, |(id, why)| format!("{id}: {why}")),
        })
    }

    async fn leader(&self, _: &Context, _: Empty) -> Result<LeaderReply, Error> {
        let told = self.0.lead.told();
        Ok(LeaderReply {
            leader: told.leader,
            generation: told.generation,
            here: self.0.lead.generation().is_some(),
        })
    }

    async fn resign(&self, _: &Context, _: Empty) -> Result<ResignReply, Error> {
        let led = self.0.lead.resign();
        Ok(ResignReply { led })
    }
}

fn ready(mirror: &mut Mirror) -> Result<&mut Mirror, Error> {
    if mirror.whole {
        return Ok(mirror);
    }
    let message = "scheduling has not told what there is yet";
    Err(Error::new(Code::Unavailable, reason::NOT_READY, message)
        .with_hint("`orrery status` shows whether it can be reached"))
}

/// What one of them asks for.
fn asked(mirror: &Mirror, args: &PreviewArgs) -> Result<Task, Error> {
    let (service, _) = target(&args.service)?;
    match &args.wishes {
        Some(text) => {
            let wishes: Wishes = serde_json::from_str(text)
                .map_err(|e| Error::invalid(reason::INVALID_WISHES, e.to_string()))?;
            Ok(mirror::task(&service, wishes))
        }
        None => known(mirror, &service),
    }
}

/// What instances of a service ask for.
fn known(mirror: &Mirror, service: &ServiceName) -> Result<Task, Error> {
    let task = mirror.services.get(service).cloned();
    task.ok_or_else(|| unknown(service.as_str()))
}

/// A service, and which of its instances.
fn target(text: &str) -> Result<(ServiceName, Option<InstanceId>), Error> {
    if let Ok(id) = text.parse::<InstanceId>() {
        return Ok((id.slot.service.clone(), Some(id)));
    }
    let name = ServiceName::new(text).map_err(|_| unknown(text))?;
    Ok((name, None))
}

fn unknown(target: &str) -> Error {
    let message = format!("no service or instance is called {target:?}");
    Error::not_found(reason::UNKNOWN_TARGET, message)
        .with_hint("services are named like `echo`, instances like `echo.2.7`; see `orrery ps`")
}
