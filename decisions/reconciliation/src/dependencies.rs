//! `after` must not go round in a circle: everything in it would wait for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::{ServiceName, ServiceSpec};

/// Services that wait for each other, each for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Cycle(pub Vec<ServiceName>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these services wait for each other: ")?;
        for name in &self.0 {
            write!(f, "{name} after ")?;
        }
        match self.0.first() {
            Some(first) => write!(f, "{first}; remove one of these from `after`"),
            None => Ok(()),
        }
    }
}

/// Looks for a circle in the start order. Services that do not exist (yet) end a chain.
///
/// # Errors
/// [`Cycle`] is the first circle found, in the order in which its services wait.
pub fn check_dependencies(specs: &BTreeMap<ServiceName, ServiceSpec>) -> Result<(), Cycle> {
    let mut done = BTreeSet::new();
    for start in specs.keys() {
        walk(specs, start, &mut done)?;
    }
    Ok(())
}

/// Depth first, with its own stack: a long chain must not exhaust the thread's.
fn walk<'a>(
    specs: &'a BTreeMap<ServiceName, ServiceSpec>,
    start: &'a ServiceName,
    done: &mut BTreeSet<&'a ServiceName>,
) -> Result<(), Cycle> {
    let after = |name| specs.get(name).map_or(&[][..], |spec| &spec.after);
    let mut path = vec![(start, after(start).iter())];
    let mut on_path = BTreeSet::from([start]);
    while let Some((name, rest)) = path.last_mut() {
        match rest.next() {
            None => {
                on_path.remove(*name);
                done.insert(name);
                path.pop();
            }
            Some(next) if done.contains(next) => {}
            Some(next) if on_path.insert(next) => path.push((next, after(next).iter())),
            Some(next) => {
                let circle = path.iter().map(|(name, _)| *name);
                let circle = circle.skip_while(|name| *name != next);
                return Err(Cycle(circle.cloned().collect()));
            }
        }
    }
    Ok(())
}
