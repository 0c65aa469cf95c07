//! Jobs on one node.

use std::fs;

use passes::{CancelArgs, JobPhase, JobSpec, PassesClient, SubmitArgs, WhenLate, reason};
use rpc::{Code, Error};

use crate::harness::{Fleet, SECOND, now_ms, script};

#[tokio::test]
async fn a_job_is_a_process_with_what_it_has_to_know_and_is_done_when_it_ends_with_0() {
    let fleet = Fleet::start(4).await;
    let file = fleet.dir.path().join("said");
    let text = "echo $ORRERY_JOB $ORRERY_JOB_ATTEMPT $ORRERY_DEADLINE_MS $WORD > $FILE; \
                mkdir -p $ORRERY_CHECKPOINT";
    let mut job = script(text, 20);
    job.env.insert("WORD".into(), "hello".into());
    job.env.insert("FILE".into(), file.display().to_string());
    job.required_tags = vec!["station=a".into()];
    let deadline_ms = job.deadline_ms;
    let id = fleet.accepted(vec![job]).await[0];
    let done = fleet.over(&[id]).await.remove(&id).unwrap();
    assert_eq!((done.phase, done.attempt), (JobPhase::Done, 1), "{done:#?}");
    assert_eq!(done.node.as_deref(), Some("local"));
    assert!(done.ended_ms.unwrap() <= deadline_ms);
    let words: Vec<&str> = done.log.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(words, ["accepted", "goes to local", "done"]);
    let said = fs::read_to_string(file).unwrap();
    assert_eq!(said, format!("{id} 1 {deadline_ms} hello\n"));
    fleet
        .until("its service is withdrawn", async || {
            let all = fleet
                .scheduling()
                .list_services(&rpc::Empty {})
                .await
                .unwrap()
                .services;
            all.iter()
                .all(|service| !service.name.starts_with("passjob"))
        })
        .await;
    let stats = fleet.passes().stats(&rpc::Empty {}).await.unwrap();
    assert_eq!(
        (stats.submitted, stats.done, stats.missed, stats.running),
        (1, 1, 0, 0)
    );
}

#[tokio::test]
async fn a_job_that_ends_otherwise_has_failed_and_its_last_words_are_kept() {
    let fleet = Fleet::start(4).await;
    let mut nothing = script("", 20);
    nothing.program = passes::Program::Command {
        program: "/no/such/program".into(),
        args: vec![],
    };
    let ids = fleet
        .accepted(vec![script("echo no signal; exit 3", 20), nothing])
        .await;
    let over = fleet.over(&ids).await;
    let [bad, nothing] = [&over[&ids[0]], &over[&ids[1]]];
    assert_eq!(
        (bad.phase, nothing.phase),
        (JobPhase::Failed, JobPhase::Failed)
    );
    assert!(bad.why.starts_with("exit code 3 on local"), "{}", bad.why);
    assert!(bad.why.contains("no signal"), "{}", bad.why);
    assert!(
        nothing.why.contains("could not be started"),
        "{}",
        nothing.why
    );
}

#[tokio::test]
async fn a_job_that_still_runs_at_its_deadline_is_stopped_or_goes_on_by_policy() {
    let fleet = Fleet::start(4).await;
    let stops = script("exec sleep 1000", 2);
    let goes_on = JobSpec {
        when_late: WhenLate::Finish,
        ..script("sleep 4", 2)
    };
    let ids = fleet.accepted(vec![stops, goes_on]).await;
    let over = fleet.over(&ids).await;
    let [stopped, late] = [&over[&ids[0]], &over[&ids[1]]];
    assert_eq!(
        (stopped.phase, late.phase),
        (JobPhase::Missed, JobPhase::Missed)
    );
    assert_eq!(stopped.why, "stopped at its deadline");
    assert!(late.why.ends_with("ms too late"), "{}", late.why);
    assert!(stopped.ended_ms < late.ended_ms);
    fleet
        .until("its process is gone", async || {
            fleet.processes_of(ids[0]) == 0
        })
        .await;
    assert_eq!(
        fleet.passes().stats(&rpc::Empty {}).await.unwrap().missed,
        2
    );
}

#[tokio::test]
async fn what_cannot_be_in_time_is_refused_with_what_is_missing() {
    let fleet = Fleet::start(4).await;
    let tags = |tag: &str| JobSpec {
        required_tags: vec![tag.into()],
        ..script("true", 20)
    };
    let why = fleet.refused(tags("station=mars")).await;
    assert_eq!(why, "no node has all of these labels: station=mars");
    let large = JobSpec {
        cpu_millicores: 4_000,
        ..script("true", 20)
    };
    let why = fleet.refused(large.clone()).await;
    assert!(why.contains("4000 millicores of CPU, 600 more"), "{why}");
    let late = JobSpec {
        deadline_ms: now_ms() + SECOND,
        estimated_runtime_ms: 60 * SECOND,
        ..script("true", 0)
    };
    let why = fleet.refused(late).await;
    assert!(
        why.starts_with("it is too late: it had to start 59"),
        "{why}"
    );
    // An alert may use the headroom; then the node is full, for longer than others can wait.
    let alert = JobSpec {
        priority_class: 0,
        estimated_runtime_ms: 100 * SECOND,
        program: script("exec sleep 1000", 0).program,
        deadline_ms: now_ms() + 200 * SECOND,
        ..large
    };
    let id = fleet.accepted(vec![alert]).await[0];
    fleet
        .until("it runs", async || fleet.processes_of(id) == 1)
        .await;
    let why = fleet.refused(script("true", 10)).await;
    assert!(
        why.starts_with("there is no room in time: it has to start within 9"),
        "{why}"
    );
}

#[tokio::test]
async fn what_waits_and_what_runs_can_be_cancelled_and_once() {
    let fleet = Fleet::start(2).await;
    let ids = fleet
        .accepted(vec![script("exec sleep 1000", 60), script("true", 60)])
        .await;
    fleet
        .until("one runs", async || fleet.processes_of(ids[0]) == 1)
        .await;
    for id in [ids[1], ids[0]] {
        let job = fleet.passes().cancel(&CancelArgs { id }).await.unwrap();
        assert_eq!(job.phase, JobPhase::Cancelled);
    }
    fleet
        .until("its process is gone", async || {
            fleet.processes_of(ids[0]) == 0
        })
        .await;
    assert_eq!(fleet.job(ids[1]).await.attempt, 0, "it never ran");
    let again = fleet.passes().cancel(&CancelArgs { id: ids[0] }).await;
    check_refused(again, Code::Conflict, reason::JOB_OVER);
    let never = fleet.passes().cancel(&CancelArgs { id: 99 }).await;
    check_refused(never, Code::NotFound, reason::UNKNOWN_JOB);
}

#[tokio::test]
async fn an_alert_takes_the_place_of_batch_which_starts_again_later() {
    let fleet = Fleet::start(2).await;
    let batch = JobSpec {
        priority_class: 2,
        ..script("test $ORRERY_JOB_ATTEMPT = 1 && exec sleep 1000; true", 60)
    };
    let batch = fleet.accepted(vec![batch]).await[0];
    fleet
        .until("it runs", async || fleet.processes_of(batch) == 1)
        .await;
    let alert = JobSpec {
        priority_class: 0,
        cpu_millicores: 2_000,
        ..script("true", 10)
    };
    let alert = fleet.accepted(vec![alert]).await[0];
    let over = fleet.over(&[alert, batch]).await;
    assert_eq!(
        (over[&alert].phase, over[&batch].phase),
        (JobPhase::Done, JobPhase::Done)
    );
    assert!(over[&alert].ended_ms <= over[&batch].started_ms);
    assert_eq!(over[&batch].attempt, 2);
    let took = format!("job {alert} took its place on local");
    assert!(
        over[&batch].log.iter().any(|entry| entry.what == took),
        "{over:#?}"
    );
}

#[tokio::test]
async fn a_kill_of_the_service_loses_nothing_and_starts_nothing_twice() {
    let fleet = Fleet::start(4).await;
    let runs = script("echo $ORRERY_JOB_ATTEMPT >> $FILE; sleep 3", 60);
    let file = fleet.dir.path().join("starts");
    let mut keyed = JobSpec {
        key: "pass-1".into(),
        ..runs
    };
    keyed.env.insert("FILE".into(), file.display().to_string());
    let many = (0..10).map(|_| script("sleep 0.2", 60));
    let ids = fleet.accepted(many.chain([keyed.clone()]).collect()).await;
    let last = ids[10];
    fleet
        .until("it runs", async || fleet.processes_of(last) > 0)
        .await;
    fleet.kill_passes().await;
    fleet
        .until("it is back", async || {
            submits(&fleet.passes(), &keyed).await == Some(last)
        })
        .await;
    let over = fleet.over(&ids).await;
    assert!(
        over.values().all(|job| job.phase == JobPhase::Done),
        "{over:#?}"
    );
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        "1\n",
        "it was started once"
    );
}

/// The id under which it is known, with the same key as before.
async fn submits(passes: &PassesClient, job: &JobSpec) -> Option<u64> {
    let args = SubmitArgs {
        jobs: vec![job.clone()],
    };
    match passes.submit(&args).await.ok()?.results.remove(0) {
        passes::Submitted::Accepted { id } => Some(id),
        passes::Submitted::Refused { why } => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_job_that_makes_no_sense_refuses_its_batch_and_names_the_field() {
    let fleet = Fleet::start(2).await;
    let class = JobSpec {
        priority_class: 3,
        ..script("true", 9)
    };
    let mut variable = script("true", 9);
    variable.env.insert("A B".into(), String::new());
    for (bad, field) in [
        (class, "jobs[1].priority_class"),
        (variable, "jobs[1].program: env"),
    ] {
        let jobs = vec![script("true", 9), bad];
        let refused = fleet
            .passes()
            .submit(&SubmitArgs { jobs })
            .await
            .unwrap_err();
        assert!(refused.message.starts_with(field), "{refused}");
        check_refused::<()>(Err(refused), Code::InvalidArgument, reason::BAD_JOB);
    }
    assert_eq!(
        fleet
            .passes()
            .stats(&rpc::Empty {})
            .await
            .unwrap()
            .submitted,
        0
    );
}

fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, code: Code, reason: &str) {
    let error = result.expect_err(reason);
    assert_eq!(
        (error.code, error.reason.as_ref()),
        (code, reason),
        "{error}"
    );
    assert!(!error.hint.is_empty(), "{error:?}");
}
