//! How much is under way at a time, altogether and for each client.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Config;

/// What takes a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request, until it is answered.
    Request,
    /// A stream, until it ends.
    Stream,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All are taken.
    Everybody,
    /// This client has as many as it may.
    Client,
}

/// Counted by kind.
type Counts = [usize; 2];

/// The places there are.
#[derive(Debug)]
pub(crate) struct Places {
    max: Counts,
    client_max: Counts,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: Counts,
    by_client: BTreeMap<Arc<str>, Counts>,
}

/// One that is taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    client: Arc<str>,
    kind: Kind,
}

impl Places {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            max: [config.requests_max, config.streams_max],
            client_max: [config.client_requests_max, config.client_streams_max],
            taken: Mutex::default(),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none left: whose fault that is.
    pub(crate) fn take(self: &Arc<Self>, client: &Arc<str>, kind: Kind) -> Result<Place, Full> {
        let which = kind as usize;
        let mut taken = self.taken.lock();
        let own = taken.by_client.get(client).map_or(0, |own| own[which]);
        if own >= self.client_max[which] {
            return Err(Full::Client);
        }
        if taken.all[which] >= self.max[which] {
            return Err(Full::Everybody);
        }
        taken.all[which] += 1;
        taken.by_client.entry(Arc::clone(client)).or_default()[which] += 1;
        Ok(Place {
            places: Arc::clone(self),
            client: Arc::clone(client),
            kind,
        })
    }

    /// How many are taken.
    pub(crate) fn taken(&self, kind: Kind) -> usize {
        self.taken.lock().all[kind as usize]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let which = self.kind as usize;
        let mut taken = self.places.taken.lock();
        taken.all[which] -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            own[which] -= 1;
            if *own == [0, 0] {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_back() {
        let config = Config {
            requests_max: 3,
            client_requests_max: 2,
            streams_max: 1,
            ..Config::default()
        };
        let places = Arc::new(Places::new(&config));
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let one = places.take(&a, Kind::Request).unwrap();
        let _two = places.take(&a, Kind::Request).unwrap();
        assert_eq!(places.take(&a, Kind::Request).unwrap_err(), Full::Client);
        let _three = places.take(&b, Kind::Request).unwrap();
        assert_eq!(places.take(&b, Kind::Request).unwrap_err(), Full::Everybody);
        let stream = places.take(&a, Kind::Stream).unwrap();
        assert_eq!(places.take(&b, Kind::Stream).unwrap_err(), Full::Everybody);
        drop((one, stream));
        assert_eq!(places.taken(Kind::Stream), 0);
        assert_eq!(places.taken(Kind::Request), 2);
        places.take(&b, Kind::Request).unwrap();
        places.take(&b, Kind::Stream).unwrap();
        drop((_two, _three));
        assert!(places.taken.lock().by_client.is_empty());
    }
}
