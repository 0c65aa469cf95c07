//! Runs seeds: `simulation [--seed N] [--seeds COUNT] [--from N]`.

use std::process::ExitCode;

use simulation::{Outcome, run_twice};

/// What to run.
struct Request {
    from: u64,
    count: u64,
}

fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(why) => {
            eprintln!("{why}\nusage: simulation [--seed N] [--seeds COUNT] [--from N]");
            return ExitCode::from(2);
        }
    };
    let mut void = 0;
    for seed in request.from..request.from.saturating_add(request.count) {
        let outcome = run_twice(seed);
        if outcome.verdict.is_err() || request.count == 1 {
            describe(&outcome);
        }
        if outcome.verdict.is_err() {
            return ExitCode::FAILURE;
        }
        void += u64::from(outcome.is_void());
    }
    println!(
        "{} seeds from {}: all well, {void} void",
        request.count, request.from
    );
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        from: 0,
        count: 1_000,
    };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(format!("{flag} needs a number"))?;
        let value = value
            .parse()
            .map_err(|_| format!("{flag}: {value:?} is not a number"))?;
        match flag.as_str() {
            "--seed" => (request.from, request.count) = (value, 1),
            "--seeds" => request.count = value,
            "--from" => request.from = value,
            _ => return Err(format!("unknown flag {flag}")),
        }
    }
    Ok(request)
}

fn describe(outcome: &Outcome) {
    match &outcome.verdict {
        Ok(hash) => println!("seed {}: all well, history {hash:016x}", outcome.seed),
        Err(broken) => {
            println!(
                "seed {}: broken: {}: {}",
                outcome.seed, broken.invariant, broken.by
            );
            println!("replay: {}", outcome.replay());
        }
    }
    println!("{:#?}", outcome.traffic);
}
