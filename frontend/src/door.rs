//! Who a client is, and whether it is too fast.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use chassis::trust::Holder;
use parking_lot::Mutex;

use crate::config::Config;
use crate::places::{Full, Kind, Place, Places};
use crate::problem::Problem;
use crate::rate::{Allowance, Clients, Verdict};
use crate::request::forwarded_for;
use crate::stats::{Refusal, Stats};

/// The bucket of every client, and the places they take.
///
/// Whoever calls from this machine is limited like everybody else: a proxy in front of us calls
/// from here too.
#[derive(Debug)]
pub(crate) struct Door {
    began: Instant,
    clients: Mutex<Clients>,
    places: Arc<Places>,
    stranger: Allowance,
    holder: Allowance,
    proxies: Vec<IpAddr>,
}

impl Door {
    /// # Errors
    /// A trusted proxy that is no address: which.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let proxies = config.trusted_proxies.iter().map(|text| {
            let parsed = text.parse::<IpAddr>().map(|ip| ip.to_canonical());
            parsed.map_err(|_| format!("trusted_proxies: `{text}` is no address"))
        });
        let ban_ms = u64::try_from(config.ban.as_millis()).unwrap_or(u64::MAX);
        let clients = Clients::new(config.clients_max, config.ban_after, ban_ms);
        Ok(Self {
            began: Instant::now(),
            clients: Mutex::new(clients),
            places: Arc::new(Places::new(config)),
            stranger: Allowance {
                burst: config.stranger_burst,
                per_second: config.stranger_rate,
            },
            holder: Allowance {
                burst: config.token_burst,
                per_second: config.token_rate,
            },
            proxies: proxies.collect::<Result<_, _>>()?,
        })
    }

    /// As whom a request is counted: a token that nobody knows does not make another client.
    pub(crate) fn client(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
        holder: Option<&Holder>,
    ) -> Arc<str> {
        match holder {
            Some(holder) => format!("token {}", holder.name).into(),
            None => self.address(headers, peer).into(),
        }
    }

    fn address(&self, headers: &HeaderMap, peer: SocketAddr) -> String {
        let mut address = peer.ip().to_canonical();
        let mut behind = forwarded_for(headers);
        // Each proxy vouches for the address that it added, as long as it is trusted itself.
        while self.proxies.contains(&address) {
            let Some(Ok(next)) = behind.next().map(str::parse::<IpAddr>) else {
                break;
            };
            address = next.to_canonical();
        }
        match address {
            IpAddr::V4(v4) => v4.to_string(),
            // A household has 2^64 of these.
            IpAddr::V6(v6) => format!("{:x?}/64", &v6.segments()[..4]),
        }
    }

    /// Lets a request in, or says when the next one may come.
    ///
    /// # Errors
    /// The client is too fast, or was and is not heard now.
    pub(crate) fn admit(
        &self,
        client: &Arc<str>,
        is_holder: bool,
        stats: &Stats,
    ) -> Result<(), Problem> {
        let may = if is_holder {
            self.holder
        } else {
            self.stranger
        };
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let verdict = self.clients.lock().request(client, may, now_ms);
        let (refusal, reason, words, ms) = match verdict {
            Verdict::Allowed => return Ok(()),
            Verdict::Limited { retry_after_ms } => (
                Refusal::TooFast,
                "too-fast",
                "these are more requests than a client may make",
                retry_after_ms,
            ),
            Verdict::Banned { retry_after_ms } => (
                Refusal::Banned,
                "banned",
                "this client went on although it was told to wait",
                retry_after_ms,
            ),
        };
        stats.refused(refusal);
        let hint = format!("wait {ms} ms; a token of your own has a larger allowance");
        let problem = Problem::http(StatusCode::TOO_MANY_REQUESTS, reason, words);
        Err(problem.with_hint(hint).after_ms(ms))
    }

    /// A place for a request or a stream, for as long as it lasts.
    ///
    /// # Errors
    /// There is none: for this client, or for nobody.
    pub(crate) fn place(
        &self,
        client: &Arc<str>,
        kind: Kind,
        stats: &Stats,
    ) -> Result<Place, Problem> {
        let full = match self.places.take(client, kind) {
            Ok(place) => return Ok(place),
            Err(full) => full,
        };
        stats.refused(Refusal::NoPlace);
        let (status, reason, whose) = match full {
            Full::Everybody => (StatusCode::SERVICE_UNAVAILABLE, "busy", "there"),
            Full::Client => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-at-once",
                "of this client",
            ),
        };
        let words = match kind {
            Kind::Request => format!("as many requests {whose} are under way as may be at a time"),
            Kind::Stream => format!("as many streams {whose} are open as may be at a time"),
        };
        let problem = Problem::http(status, reason, &words).after_ms(1_000);
        Err(problem.with_hint("end one of yours, or try again in a moment"))
    }

    /// How many places of this kind are taken.
    pub(crate) fn taken(&self, kind: Kind) -> usize {
        self.places.taken(kind)
    }

    /// How many clients are remembered.
    pub(crate) fn clients(&self) -> usize {
        self.clients.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        let config = Config {
            trusted_proxies: vec!["10.0.0.1".into(), "10.0.0.2".into()],
            ..Config::default()
        };
        let door = Door::new(&config).unwrap();
        for (peer, said, counted) in [
            ("1.1.1.1:1", "", "1.1.1.1"),
            ("1.1.1.1:1", "2.2.2.2", "1.1.1.1"),
            ("10.0.0.1:1", "", "10.0.0.1"),
            ("10.0.0.1:1", "2.2.2.2", "2.2.2.2"),
            ("[::ffff:10.0.0.1]:1", "2.2.2.2", "2.2.2.2"),
            ("10.0.0.1:1", "3.3.3.3, 2.2.2.2", "2.2.2.2"),
            ("10.0.0.1:1", "3.3.3.3, 2.2.2.2, 10.0.0.2", "2.2.2.2"),
            ("10.0.0.1:1", "3.3.3.3, nonsense", "10.0.0.1"),
            ("[2001:db8:1:2:3::4]:1", "", "[2001, db8, 1, 2]/64"),
            ("[2001:db8:1:2:ffff::1]:1", "", "[2001, db8, 1, 2]/64"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(said));
            let client = door.client(&headers, peer.parse().unwrap(), None);
            assert_eq!(&*client, counted, "{peer}, {said}");
        }
    }

    #[test]
    fn a_proxy_that_is_no_address_is_said() {
        let config = Config {
            trusted_proxies: vec!["nonsense".into()],
            ..Config::default()
        };
        assert!(Door::new(&config).unwrap_err().contains("nonsense"));
    }
}
