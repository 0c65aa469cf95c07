//! Which thing is meant: beginnings of ids, and names with a slip of the finger.

use client::scheduling::InstanceInfo;

use crate::exit::Exit;
use crate::failure::Failure;

/// The name among `known` that is most like `given`, if any is like it.
pub(crate) fn closest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The one instance whose id is `meant`, or begins so.
///
/// Whole parts come before parts of numbers (`echo.1` is not `echo.10.3`), and what runs comes
/// before what has ended.
///
/// # Errors
/// Nothing begins so, or several do.
pub(crate) fn one<'a>(
    meant: &str,
    instances: &'a [InstanceInfo],
) -> Result<&'a InstanceInfo, Failure> {
    if let Some(exact) = instances.iter().find(|i| i.id == meant) {
        return Ok(exact);
    }
    let whole = |i: &InstanceInfo| {
        let rest = i.id.strip_prefix(meant);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let any = |i: &InstanceInfo| i.id.starts_with(meant);
    let runs = |i: &InstanceInfo| !i.state.is_terminal();
    let tries: [&dyn Fn(&InstanceInfo) -> bool; 4] = [
        &|i| runs(i) && whole(i),
        &|i| runs(i) && any(i),
        &|i| whole(i),
        &|i| any(i),
    ];
    for fits in tries {
        let found: Vec<&InstanceInfo> = instances.iter().filter(|i| fits(i)).collect();
        match found.as_slice() {
            [] => {}
            [only] => return Ok(only),
            [.., newest] if all_of_one_ended_slot(&found) => return Ok(newest),
            several => return Err(ambiguous(meant, several)),
        }
    }
    let failure = Failure::new(Exit::NotFound, format!("no instance is called {meant}"))
        .hint("`orrery ps --all` lists them, those that have ended included");
    let ids = instances.iter().map(|i| i.id.as_str());
    Err(failure.meant(closest(meant, ids)))
}

/// What is left of a slot that runs nothing: its newest instance is the one to talk about.
fn all_of_one_ended_slot(found: &[&InstanceInfo]) -> bool {
    let slot = |i: &InstanceInfo| (i.service.clone(), i.index);
    let ended = found.iter().all(|i| i.state.is_terminal());
    ended && found.windows(2).all(|two| slot(two[0]) == slot(two[1]))
}

fn ambiguous(meant: &str, several: &[&InstanceInfo]) -> Failure {
    const SHOWN: usize = 5;
    let mut ids: Vec<&str> = several.iter().take(SHOWN).map(|i| i.id.as_str()).collect();
    if several.len() > SHOWN {
        ids.push("...");
    }
    let what = format!("{meant} may mean {} instances", several.len());
    Failure::new(Exit::Refused, what).hint(format!("say which one: {}", ids.join(", ")))
}

#[cfg(test)]
mod tests {
    use client::scheduling::{InstanceInfo, InstanceState};

    use super::{closest, one};
    use crate::exit::Exit;

    fn instance(id: &str, state: InstanceState) -> InstanceInfo {
        let mut parts = id.split('.');
        InstanceInfo {
            id: id.to_owned(),
            service: parts.next().unwrap_or_default().to_owned(),
            index: parts.next().and_then(|n| n.parse().ok()).unwrap_or(0),
            generation: parts.next().and_then(|n| n.parse().ok()).unwrap_or(0),
            state,
            node: None,
            address: None,
            port: None,
            pid: None,
            attempt: 1,
            since_ms: 0,
            healthy_since_ms: None,
            spec_revision: 1,
            reason: String::new(),
            failure: None,
            last_lines: Vec::new(),
        }
    }

    #[test]
    fn a_beginning_means_one_instance_or_says_which_it_may_mean() {
        use InstanceState::{Failed, Healthy, Stopped};
        let instances = [
            instance("cache.0.1", Failed),
            instance("cache.0.2", Failed),
            instance("echo.0.1", Healthy),
            instance("echo.1.3", Stopped),
            instance("echo.1.4", Healthy),
            instance("echo.10.2", Healthy),
        ];
        for (meant, id) in [
            ("echo.0.1", Ok("echo.0.1")),
            ("echo.1.3", Ok("echo.1.3")),
            ("echo.1", Ok("echo.1.4")),
            ("echo.10", Ok("echo.10.2")),
            ("echo.10.", Ok("echo.10.2")),
            ("cache.0", Ok("cache.0.2")),
            ("cache", Ok("cache.0.2")),
            ("echo", Err(Exit::Refused)),
            ("echo.7", Err(Exit::NotFound)),
        ] {
            let found = one(meant, &instances).map(|i| i.id.as_str());
            assert_eq!(found.map_err(|failure| failure.exit), id, "{meant}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_nonsense_finds_none() {
        let known = ["echo", "caching", "configuration"];
        assert_eq!(closest("ehco", known), Some("echo"));
        assert_eq!(closest("cachng", known), Some("caching"));
        assert_eq!(closest("zzz", known), None);
    }
}
