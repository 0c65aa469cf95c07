//! One function per procedure.

use std::sync::Arc;

use monitoring::limits::{LABELS_MAX, SAMPLES_MAX, TEXT_BYTES_MAX};
use monitoring::{
    AlertInfo, AlertsReply, DeleteRuleArgs, Function, HealthArgs, HealthReply, HeartbeatArgs,
    InstanceHealth, Monitoring, NamesArgs, NamesReply, QueryArgs, QueryReply, ReportArgs,
    ReportReply, Rule, Sample, reason,
};
use rpc::{Context, Empty, Error, StreamSender};
use tokio::sync::broadcast::error::RecvError;

use crate::base::Labels;
use crate::engine::{Engine, now_ms};
use crate::parse::is_name;
use crate::query::query;
use crate::scrape::Target;
use crate::webhook::is_webhook;

pub(crate) struct Handlers {
    pub(crate) engine: Arc<Engine>,
}

impl Monitoring for Handlers {
    async fn report(&self, _: &Context, args: ReportArgs) -> Result<ReportReply, Error> {
        if args.samples.len() > SAMPLES_MAX {
            let message = format!("{} samples at a time", args.samples.len());
            return Err(Error::invalid(reason::TOO_MANY, message)
                .with_hint(format!("at most {SAMPLES_MAX}")));
        }
        args.samples.iter().try_for_each(check)?;
        let points: Vec<(String, Labels, f64)> = args
            .samples
            .into_iter()
            .map(|sample| (sample.name, sample.labels, sample.value))
            .collect();
        let taken = self.engine.take(now_ms(), &points)?;
        Ok(ReportReply {
            taken: taken as u64,
            left_out: (points.len() - taken) as u64,
        })
    }

    async fn heartbeat(&self, _: &Context, args: HeartbeatArgs) -> Result<Empty, Error> {
        let now = now_ms();
        let sample = Sample {
            name: "heartbeat_ms".to_owned(),
            labels: Labels::from([("job".to_owned(), args.job)]),
            value: now as f64,
        };
        check(&sample)?;
        self.engine
            .take(now, &[(sample.name, sample.labels, sample.value)])?;
        Ok(Empty {})
    }

    async fn query(&self, _: &Context, args: QueryArgs) -> Result<QueryReply, Error> {
        query(&self.engine.base.read(), &args, now_ms())
    }

    async fn health(&self, _: &Context, args: HealthArgs) -> Result<HealthReply, Error> {
        let targets: Vec<Target> = self.engine.targets.lock().values().cloned().collect();
        let wanted = |target: &Target| args.service.as_ref().is_none_or(|s| *s == target.service);
        let mut instances = Vec::new();
        for target in targets.into_iter().filter(wanted) {
            instances.push(self.instance(target)?);
        }
        instances.sort_by(|a, b| (&a.service, &a.instance).cmp(&(&b.service, &b.instance)));
        Ok(HealthReply {
            up: instances.iter().filter(|instance| instance.up).count() as u64,
            series: self.engine.base.read().len() as u64,
            series_max: self.engine.series_max as u64,
            instances,
        })
    }

    async fn alerts(&self, _: &Context, _: Empty) -> Result<AlertsReply, Error> {
        Ok(AlertsReply {
            rules: self.engine.rules(),
            alerts: self.engine.alerts(),
        })
    }

    async fn set_rule(&self, _: &Context, rule: Rule) -> Result<Empty, Error> {
        check_rule(&rule)?;
        let engine = Arc::clone(&self.engine);
        let set = tokio::spawn(async move { engine.set_rule(rule).await }).await;
        set.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))??;
        Ok(Empty {})
    }

    async fn delete_rule(&self, _: &Context, args: DeleteRuleArgs) -> Result<Empty, Error> {
        let engine = Arc::clone(&self.engine);
        let deleted = tokio::spawn(async move { engine.delete_rule(&args.name).await }).await;
        deleted.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))??;
        Ok(Empty {})
    }

    /// Who falls so far behind that changes are lost is told how everything is now.
    async fn watch_alerts(
        &self,
        _: &Context,
        _: Empty,
        out: StreamSender<AlertInfo>,
    ) -> Result<(), Error> {
        let mut changes = self.engine.changes.subscribe();
        loop {
            for alert in self.engine.alerts() {
                out.send(&alert).await?;
            }
            loop {
                match changes.recv().await {
                    Ok(alert) => out.send(&alert).await?,
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(()),
                }
            }
        }
    }

    async fn names(&self, _: &Context, args: NamesArgs) -> Result<NamesReply, Error> {
        let names = self
            .engine
            .base
            .read()
            .names(&args.name, args.label.as_deref());
        Ok(NamesReply { names })
    }
}

impl Handlers {
    /// One instance, with how it answered in the last minute.
    fn instance(&self, target: Target) -> Result<InstanceHealth, Error> {
        let now = now_ms();
        let base = self.engine.base.read();
        let ask = |args: QueryArgs| -> Result<Option<f64>, Error> {
            let args = args.equal("instance", &target.instance).by(&[]);
            let reply = query(&base, &args, now)?;
            Ok(reply
                .series
                .first()
                .and_then(|s| Some(s.points.last()?.value)))
        };
        let calls = QueryArgs::now("rpc_calls_total", Function::Rate);
        let rate = ask(calls.clone())?.unwrap_or(0.0);
        let failed = ask(calls.equal("outcome", "failed"))?.unwrap_or(0.0);
        let p99 = QueryArgs::now("rpc_latency_seconds_bucket", Function::Quantile(0.99));
        let p99_ms = ask(p99)?.map(|seconds| seconds * 1_000.0);
        drop(base);
        Ok(InstanceHealth {
            service: target.service,
            instance: target.instance,
            version: target.version,
            up: target.up,
            since_ms: target.since_ms,
            asked_ms: target.asked_ms,
            why: target.why,
            calls_per_second: rate,
            errors_permille: if rate > 0.0 {
                failed / rate * 1_000.0
            } else {
                0.0
            },
            p99_ms,
        })
    }
}

fn check(sample: &Sample) -> Result<(), Error> {
    let labels = sample.labels.iter();
    let fits = is_name(&sample.name)
        && sample.value.is_finite()
        && sample.labels.len() <= LABELS_MAX
        && labels
            .clone()
            .all(|(name, value)| is_name(name) && value.len() <= TEXT_BYTES_MAX);
    if fits {
        return Ok(());
    }
    let shown: String = sample.name.chars().take(64).collect();
    Err(Error::invalid(reason::BAD_SAMPLE, format!("`{shown}` is no good sample")).with_hint(
        format!(
            "names of letters, digits, _ and :, a finite value, at most {LABELS_MAX} labels of at \
             most {TEXT_BYTES_MAX} bytes"
        ),
    ))
}

fn check_rule(rule: &Rule) -> Result<(), Error> {
    let wrong = |why: &str| {
        Error::invalid(reason::BAD_RULE, format!("the rule makes no sense: {why}"))
            .with_hint("`orrery describe monitoring set_rule` shows what a rule is")
    };
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if rule.name.is_empty() || rule.name.len() > 64 || !rule.name.chars().all(good) {
        return Err(wrong(
            "its name has 1 to 64 letters, digits and any of - _ .",
        ));
    }
    if !is_name(&rule.query.name) {
        return Err(wrong("its query names no series"));
    }
    if !rule.webhook.is_empty() && !is_webhook(&rule.webhook) {
        return Err(wrong("its webhook is no http:// address"));
    }
    Ok(())
}
