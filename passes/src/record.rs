//! A job as it is kept.

use passes::limits::{LOG_MAX, WORD_MAX};
use passes::scheduler::{PassWindowJob, ResourceRequest};
use passes::{JobInfo, JobPhase, JobSpec, LogEntry, reason};
use rpc::Error;

/// One job. It is stored, in JSON, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) JobInfo);

impl Record {
    pub(crate) fn new(id: u64, spec: JobSpec, by: String, now_ms: u64) -> Self {
        let mut record = Self(JobInfo {
            id,
            spec,
            phase: JobPhase::Waiting,
            node: None,
            attempt: 0,
            by,
            submitted_ms: now_ms,
            started_ms: None,
            ended_ms: None,
            why: String::new(),
            log: Vec::new(),
        });
        record.note(now_ms, "accepted".to_owned());
        record
    }

    /// What the scheduler is told.
    pub(crate) fn job(&self) -> PassWindowJob {
        job(self.0.id, &self.0.spec, self.0.submitted_ms)
    }

    /// The service that runs it.
    pub(crate) fn service(&self) -> String {
        service_of(self.0.id, self.0.attempt)
    }

    pub(crate) fn note(&mut self, at_ms: u64, what: String) {
        let job = &mut self.0;
        if job.log.len() >= LOG_MAX {
            job.log.remove(0);
        }
        job.why.clone_from(&what);
        job.log.push(LogEntry { at_ms, what });
    }

    /// It goes to a node.
    pub(crate) fn place(&mut self, node: &str, now_ms: u64, why: &str) {
        self.0.phase = JobPhase::Running;
        self.0.node = Some(node.to_owned());
        self.0.attempt += 1;
        self.0.started_ms = Some(now_ms);
        self.note(now_ms, format!("{why} {node}"));
    }

    /// It has no place any more.
    pub(crate) fn wait(&mut self, now_ms: u64, why: String) {
        self.0.phase = JobPhase::Waiting;
        self.note(now_ms, why);
    }

    pub(crate) fn end(&mut self, phase: JobPhase, now_ms: u64, why: String) {
        self.0.phase = phase;
        self.0.ended_ms = Some(now_ms);
        self.note(now_ms, why);
    }

    /// When it is expected to end where it runs.
    pub(crate) fn expected_end_ms(&self) -> u64 {
        let started_ms = self.0.started_ms.unwrap_or(self.0.submitted_ms);
        started_ms.saturating_add(self.0.spec.estimated_runtime_ms)
    }
}

const PREFIX: &str = "passjob";

pub(crate) fn service_of(id: u64, attempt: u32) -> String {
    format!("{PREFIX}-{id}-{attempt}")
}

/// Which job, and which start of it, a service is.
pub(crate) fn job_of(service: &str) -> Option<(u64, u32)> {
    let mut parts = service.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
    let (id, attempt) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let canonical = service_of(id, attempt) == service;
    canonical.then_some((id, attempt))
}

pub(crate) fn job(id: u64, spec: &JobSpec, submitted_at: u64) -> PassWindowJob {
    PassWindowJob {
        id,
        region: spec.region.clone(),
        priority_class: spec.priority_class,
        deadline: spec.deadline_ms,
        estimated_runtime: spec.estimated_runtime_ms,
        req: ResourceRequest {
            cpu_millicores: spec.cpu_millicores,
            memory_mb: spec.memory_mb,
            gpu_count: spec.gpu_count,
        },
        required_tags: spec.required_tags.clone(),
        submitted_at,
    }
}

/// Whether a job makes sense, whatever the machines are.
pub(crate) fn check(spec: &JobSpec, index: usize) -> Result<(), Error> {
    let refuse = |field: &str, why: &str| {
        let message = format!("jobs[{index}].{field}: {why}");
        Err(Error::invalid(reason::BAD_JOB, message)
            .with_hint("`orrery describe passes submit` shows what a job is"))
    };
    let long = |word: &String| word.len() > WORD_MAX;
    if spec.region.is_empty() || long(&spec.region) {
        return refuse("region", "1 to 128 bytes");
    }
    if long(&spec.key) {
        return refuse("key", "at most 128 bytes");
    }
    if spec.priority_class > 2 {
        return refuse("priority_class", "0 (alert), 1 (pass) or 2 (batch)");
    }
    if spec.required_tags.len() > WORD_MAX || spec.required_tags.iter().any(long) {
        return refuse("required_tags", "at most 128, each of at most 128 bytes");
    }
    if spec.estimated_runtime_ms == 0 {
        return refuse("estimated_runtime_ms", "at least 1");
    }
    let service = Record::new(u64::MAX, spec.clone(), String::new(), 0);
    match crate::wish::spec_of(&service, "any", "") {
        Ok(_) => Ok(()),
        Err(why) => refuse("program", &why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_jobs_only_by_its_exact_name() {
        assert_eq!(job_of(&service_of(12, 3)), Some((12, 3)));
        for other in [
            "echo",
            "passjob",
            "passjob-1",
            "passjob-01-1",
            "passjob-1-1-1",
            "passjob-x-1",
        ] {
            assert_eq!(job_of(other), None, "{other}");
        }
    }
}
