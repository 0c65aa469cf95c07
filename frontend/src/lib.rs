//! The fleet's public HTTP gateway: every procedure of every service, for whoever speaks HTTP.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/{service}/{procedure}` | calls it; the body is its arguments in JSON |
//! | the same, of a stream | Server-Sent Events: one `data:` an item, then `end` or `error` |
//! | `GET /v1`, `GET /v1/{service}` | the services there are, and what one can do |
//! | `GET /openapi.json` | all of that as OpenAPI 3.1 |
//! | `GET /livez`, `/readyz`, `/metrics` | for probes and scrapers |
//!
//! It decides nothing and keeps nothing. `Authorization: Bearer TOKEN` travels on to the service
//! that is called, which decides; a caller without a token goes on as one without a token, never
//! with the gateway's own. Services are found through discovery and described by themselves, so
//! that the gateway needs no word about a service that is written tomorrow.
//!
//! Errors are problems (RFC 9457, `application/problem+json`), with the stable `reason` and the
//! `hint` that the service gave.
//!
//! What keeps it standing: a bound and a deadline on everything that is read or written, on
//! requests and streams at a time (of all, and of one client), and a rate for each client. An
//! address without a good token has 30 requests and 2 more a second, and who goes on all the same
//! is banned for a minute; `127.0.0.1` is an address like any other, because a proxy may stand
//! behind it. A good token is a client of its own, with a larger bucket. Each replica counts for
//! itself.
//!
//! A browser on this machine is not a way in for pages from elsewhere: a request that says where it
//! comes from (`Origin`) is refused unless the settings name that page, and so is one for a host
//! that is neither an address nor `localhost` nor named there.
//!
//! `frontend --help` lists the settings; `docs/gateway.md` is a walk with `curl`.

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "frontend";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:8081";
