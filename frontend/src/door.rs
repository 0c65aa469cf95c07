//! Who a client is, and whether it is too fast.

use std::net::{IpAddr, SocketAddr};

use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use chassis::trust::Holder;

use crate::config::Config;
use crate::problem::Problem;
use crate::rate::{Allowance, Clients, Verdict};
use crate::request::forwarded_for;

/// The bucket of every client.
pub(crate) struct Door {
    clients: Clients,
    stranger: Allowance,
    holder: Allowance,
    proxies: Vec<IpAddr>,
}

impl Door {
    /// # Errors
    /// A trusted proxy that is no address: which.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let proxies = config.trusted_proxies.iter().map(|text| {
            let parsed = text.parse();
            parsed.map_err(|_| format!("trusted_proxies: `{text}` is no address"))
        });
        let ban_ms = u64::try_from(config.ban.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            clients: Clients::new(config.clients_max, config.ban_after, ban_ms),
            stranger: Allowance {
                burst: config.stranger_burst.into(),
                per_second: config.stranger_rate.into(),
            },
            holder: Allowance {
                burst: config.token_burst.into(),
                per_second: config.token_rate.into(),
            },
            proxies: proxies.collect::<Result<_, _>>()?,
        })
    }

    /// Lets a request in, or says when the next one may come.
    pub(crate) fn admit(
        &mut self,
        headers: &HeaderMap,
        peer: SocketAddr,
        holder: Option<&Holder>,
        now_ms: u64,
    ) -> Result<(), Problem> {
        // A token that nobody knows does not make a client another one.
        let (client, may) = match holder {
            Some(holder) => (format!("token {}", holder.name), self.holder),
            None => (self.address(headers, peer), self.stranger),
        };
        let (reason, words, ms) = match self.clients.request(&client, may, now_ms) {
            Verdict::Allowed => return Ok(()),
            Verdict::Limited { retry_after_ms } => (
                "too-fast",
                "these are more requests than a client may make",
                retry_after_ms,
            ),
            Verdict::Banned { retry_after_ms } => (
                "banned",
                "this client went on although it was told to wait",
                retry_after_ms,
            ),
        };
        let hint = format!("wait {ms} ms; a token of your own has a larger allowance");
        let problem = Problem::http(StatusCode::TOO_MANY_REQUESTS, reason, words);
        Err(problem.with_hint(hint).after_ms(ms))
    }

    fn address(&self, headers: &HeaderMap, peer: SocketAddr) -> String {
        let behind = forwarded_for(headers).and_then(|text| text.parse::<IpAddr>().ok());
        let believed = behind.filter(|_| self.proxies.contains(&peer.ip()));
        match believed.unwrap_or(peer.ip()).to_canonical() {
            IpAddr::V4(v4) => v4.to_string(),
            // A household has 2^64 of these.
            IpAddr::V6(v6) => format!("{:x?}/64", &v6.segments()[..4]),
        }
    }
}
