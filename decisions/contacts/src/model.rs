//! What is asked and what is answered.

use thiserror::Error;

/// Where contacts happen: a pool of antennas that are all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// How many contacts it can hold at once.
    pub antennas: usize,
    /// How long an antenna is busy before a contact.
    pub setup_ms: i64,
    /// How long it is busy after one.
    pub teardown_ms: i64,
}

/// One way to serve a request: a pass, or the part of one that would be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Index of its site in [`Problem::sites`].
    pub site: usize,
    /// When it begins.
    pub from_ms: i64,
    /// When it has ended.
    pub until_ms: i64,
}

/// What wants one contact out of several that would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is worth to serve it.
    pub weight: u32,
    /// The contacts that would do; none of them: the request is impossible.
    pub contacts: Vec<Contact>,
}

/// Why sites and requests are no [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProblemError {
    /// A site cannot be used at all, or is busy for a negative time.
    #[error("site {0} has no antenna, or a negative time to set up or tear down")]
    Site(usize),
    /// A contact of this request names no site.
    #[error("request {0} has a contact at a site that does not exist")]
    UnknownSite(usize),
    /// A contact of this request ends before it begins, or is out of all proportion.
    #[error("request {0} has a contact that does not end after it begins")]
    Empty(usize),
}

/// Sites and requests that fit together.
#[derive(Debug, Clone)]
pub struct Problem {
    sites: Vec<Site>,
    requests: Vec<Request>,
}

/// Times beyond this (30,000 years) are refused, so that no sum of them overflows.
const FAR_MS: i64 = 1 << 50;

impl Problem {
    /// Takes sites and requests together.
    ///
    /// # Errors
    ///
    /// [`ProblemError`] names the first site or request that cannot be meant.
    pub fn new(sites: Vec<Site>, requests: Vec<Request>) -> Result<Self, ProblemError> {
        let sane = |ms: i64| (0..FAR_MS).contains(&ms);
        for (index, site) in sites.iter().enumerate() {
            if site.antennas == 0 || !sane(site.setup_ms) || !sane(site.teardown_ms) {
                return Err(ProblemError::Site(index));
            }
        }
        for (index, request) in requests.iter().enumerate() {
            for contact in &request.contacts {
                if contact.site >= sites.len() {
                    return Err(ProblemError::UnknownSite(index));
                }
                let near = contact.from_ms > -FAR_MS && contact.until_ms < FAR_MS;
                if contact.until_ms <= contact.from_ms || !near {
                    return Err(ProblemError::Empty(index));
                }
            }
        }
        Ok(Self { sites, requests })
    }

    /// The sites, as they were given.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The requests, as they were given.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The requests that no plan can serve: they have no contact at all.
    pub fn impossible(&self) -> impl Iterator<Item = usize> {
        let numbered = self.requests.iter().enumerate();
        numbered
            .filter(|(_, request)| request.contacts.is_empty())
            .map(|(index, _)| index)
    }
}

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// Index in [`Request::contacts`].
    pub contact: usize,
    /// Which antenna of the contact's site, from 0.
    pub antenna: usize,
}

/// For each request what it got, in the order of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// `None`: not served.
    pub assignments: Vec<Option<Assignment>>,
}

impl Plan {
    /// How many requests are served.
    #[must_use]
    pub fn served(&self) -> usize {
        self.assignments.iter().flatten().count()
    }

    /// The weights of the served requests, together.
    #[must_use]
    pub fn worth(&self, problem: &Problem) -> u64 {
        let pairs = self.assignments.iter().zip(problem.requests());
        pairs
            .filter(|(got, _)| got.is_some())
            .map(|(_, request)| u64::from(request.weight))
            .sum()
    }
}
