//! A watch of etcd, told change by change.

use std::collections::VecDeque;
use std::fmt;

use etcd_client::{Event as TheirEvent, EventType, WatchResponse, WatchStream};

use super::trouble::Trouble;
use super::wire::{self, Space};
use crate::{Change, Event, Revision, Watch, WatchError};

/// What [`EtcdStore::watch`](crate::EtcdStore) gives. Etcd pushes: what came in one message and
/// was not asked for yet waits here.
pub struct EtcdWatch {
    stream: WatchStream,
    space: Space,
    place: String,
    position: Revision,
    waiting: VecDeque<Change>,
    ended: Option<WatchError>,
}

impl fmt::Debug for EtcdWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EtcdWatch");
        shown.field("place", &self.place);
        shown.field("position", &self.position);
        shown.finish_non_exhaustive()
    }
}

impl EtcdWatch {
    pub(super) fn new(stream: WatchStream, space: Space, from: Revision, place: &str) -> Self {
        Self {
            stream,
            space,
            place: place.to_owned(),
            position: from,
            waiting: VecDeque::new(),
            ended: None,
        }
    }

    fn take(&mut self, message: &WatchResponse) {
        // Etcd never splits one revision over two messages unless it is asked to.
        for event in message.events() {
            let Some((revision, event)) = self.event(event) else {
                continue;
            };
            match self.waiting.back_mut() {
                Some(last) if last.revision == revision => last.events.push(event),
                _ => self.waiting.push_back(Change {
                    revision,
                    events: vec![event],
                }),
            }
        }
        if message.compact_revision() > 0 {
            self.ended = Some(WatchError::Compacted {
                wanted: self.next_revision(),
                at: wire::revision(message.compact_revision()),
            });
        } else if message.canceled() {
            self.end(format!("{}: {}", self.place, message.cancel_reason()));
        }
    }

    /// The revision after everything that came.
    fn next_revision(&self) -> Revision {
        let last = self.waiting.back();
        last.map_or(self.position, |change| change.revision.next())
    }

    fn event(&self, event: &TheirEvent) -> Option<(Revision, Event)> {
        let item = event.kv()?;
        let revision = wire::revision(item.mod_revision());
        let event = match event.event_type() {
            EventType::Put => Event::Put(self.space.item(item.clone())),
            EventType::Delete => Event::Delete {
                key: self.space.own(item.key()),
            },
        };
        Some((revision, event))
    }

    fn end(&mut self, why: String) {
        self.ended = Some(WatchError::Unavailable { why });
    }
}

impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<Change, WatchError> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.position = change.revision.next();
                return Ok(change);
            }
            if let Some(error) = &self.ended {
                return Err(error.clone());
            }
            match self.stream.message().await {
                Ok(Some(message)) => self.take(&message),
                Ok(None) => self.end(format!("{}: it ended the watch", self.place)),
                Err(error) => self.ended = Some(Trouble::of(&self.place, error).of_watch()),
            }
        }
    }

    fn position(&self) -> Revision {
        self.position
    }
}
