//! The one thread that writes: takes what waits, works it out, makes it durable with one fsync,
//! lets the readers see it, and only then answers.

use std::sync::Arc;
use std::time::Instant;

use super::disk::{Disk, WriteError};
use super::group::Group;
use super::lock::DirectoryLock;
use super::queue::{Answer, Ask, Refusal, Request};
use super::shared::Shared;
use super::work::{Reply, Work, millis};
use super::{CLOSED, Options};
use crate::{CommitError, Committed, CompactError, Event, Op, Revision, Txn};

/// How many revisions are compacted along with one group: bounds how long the group takes.
const COMPACT_STEP: u64 = 1024;
/// SQLite's log is folded into the main file when it is about this long.
const CHECKPOINT_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    options: Options,
    /// Compaction goes on, step by step, until here.
    target: Revision,
    /// Who waits for a compaction, and to where.
    compacting: Vec<(Revision, Answer<Revision, CompactError>)>,
    /// The disk was full: nothing new is taken in, so that deletes find space.
    low: bool,
    /// Let go of last, when the database is closed.
    _lock: DirectoryLock,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        disk: Disk,
        options: Options,
        lock: DirectoryLock,
    ) -> Self {
        Self {
            low: !shared.files.keep_reserve(),
            shared,
            disk,
            options,
            target: Revision(0),
            compacting: Vec::new(),
            _lock: lock,
        }
    }

    /// Writes until the queue is closed, or something breaks.
    pub(super) fn run(mut self) {
        let ended = self.write_all();
        if let Err(why) = &ended {
            self.shared.stop(why, false);
        }
        let refusal = Refusal::Failed(crate::Failure {
            why: ended.err().map_or(CLOSED.into(), Into::into),
        });
        while let Some(rest) = self.shared.queue.take(None) {
            for request in rest {
                request.ask.refuse(refusal.clone());
            }
        }
        for (_, to) in self.compacting.drain(..) {
            drop(to.send(Err(refusal.clone().into())));
        }
        self.shared.stop(CLOSED, true);
    }

    fn write_all(&mut self) -> Result<(), String> {
        while let Some(requests) = self.shared.queue.take(self.wake_at()) {
            let work = self.work_out(requests);
            self.finish(work)?;
        }
        self.close()
    }

    fn wake_at(&self) -> Option<Instant> {
        if self.target > self.disk.state().compacted {
            return Some(Instant::now());
        }
        self.shared.leases.lock().soonest()
    }

    /// Everything a clean end needs so that the next start finds no log to recover from.
    fn close(&mut self) -> Result<(), String> {
        let head = self.shared.index.read().head();
        match self.disk.fold(head) {
            // With no space the log simply stays, and the next start recovers from it.
            Ok(()) | Err(WriteError::NoSpace) => Ok(()),
            Err(WriteError::Broken(why)) => Err(format!("the last checkpoint failed: {why}")),
        }
    }

    fn work_out(&mut self, requests: Vec<Request>) -> Work {
        self.low = self.low && !self.regained_space();
        let shared = Arc::clone(&self.shared);
        let index = shared.index.read();
        let mut leases = shared.leases.lock();
        let due = leases.due(Instant::now());
        let mut group = Group::new(&index, &mut leases);
        let mut work = Work::default();
        for request in requests {
            work.room.push(request.room);
            match request.ask {
                Ask::Commit(txn, to) => {
                    let done = self.commit(&mut group, &txn);
                    work.replies.push(Reply::Commit(to, done));
                }
                Ask::Grant(ttl, to) => work.replies.push(Reply::Grant(to, ttl)),
                Ask::Revoke(id, to) => work.replies.push(Reply::Revoke(to, group.revoke(id))),
                Ask::Compact(wanted, to) => self.ask_compaction(index.head(), wanted, to),
            }
        }
        // After the requests, which were in time. Their puts to these leases were refused.
        for id in due {
            group.end(id);
        }
        work.changes = group.changes;
        let ended = group.ended;
        let with_ttl = |id| leases.ttl(id).map(|ttl| (id, ttl));
        work.ended = ended.into_iter().filter_map(with_ttl).collect();
        work.compact_to = self.next_compaction(&index);
        work
    }

    /// After the disk was full, whether there is space now.
    fn regained_space(&self) -> bool {
        self.shared.files.has_space_again() && self.shared.files.keep_reserve()
    }

    fn commit(&self, group: &mut Group, txn: &Txn) -> Result<Committed, CommitError> {
        let puts = |ops: &[Op]| ops.iter().any(|op| matches!(op, Op::Put { .. }));
        if self.low && (puts(&txn.then) || puts(&txn.otherwise)) {
            return Err(CommitError::NoSpace {
                place: self.shared.place(),
            });
        }
        group.commit(txn)
    }

    fn ask_compaction(
        &mut self,
        head: Revision,
        wanted: Revision,
        to: Answer<Revision, CompactError>,
    ) {
        if wanted > head {
            let newest = head;
            drop(to.send(Err(CompactError::Future { wanted, newest })));
            return;
        }
        self.target = self.target.max(wanted);
        self.compacting.push((wanted, to));
        self.answer_compactions();
    }

    fn answer_compactions(&mut self) {
        let done = self.disk.state().compacted;
        for (_, to) in self
            .compacting
            .extract_if(.., |(wanted, _)| *wanted <= done)
        {
            drop(to.send(Ok(done)));
        }
    }

    /// How far to compact along with this group, if at all.
    fn next_compaction(&mut self, index: &super::index::Index) -> Option<Revision> {
        let compacted = index.compacted();
        let kept = index.head().0 - compacted.0;
        let full = kept > self.options.history_revisions + COMPACT_STEP
            || (kept > 1 && index.change_bytes() > self.options.history_bytes);
        if full && !self.low {
            // By a quarter at least, so that compaction comes in stretches and not every time.
            let drop = (kept - kept.min(self.options.history_revisions))
                .max(kept / 4)
                .max(1);
            self.target = self.target.max(Revision(compacted.0 + drop));
        }
        let to = self.target.min(Revision(compacted.0 + COMPACT_STEP));
        (to > compacted).then_some(to)
    }

    /// Makes the work durable, shows it, answers.
    fn finish(&mut self, mut work: Work) -> Result<(), String> {
        if work.writes_nothing() {
            work.answer();
            return Ok(());
        }
        let begun = Instant::now();
        match self.write(&mut work) {
            Ok(checkpoint) => {
                self.shared
                    .count_write(work.changes.len() as u64, begun.elapsed());
                self.publish(&work);
                work.answer();
                self.answer_compactions();
                if checkpoint {
                    self.checkpoint()
                } else {
                    Ok(())
                }
            }
            Err(WriteError::NoSpace) => self.refuse(work),
            Err(WriteError::Broken(why)) => {
                let place = self.shared.place();
                let why = format!("a durable write in {place} failed: {why}");
                // Before the answers: whoever gets one finds the store stopped.
                self.shared.stop(&why, false);
                let failure = crate::Failure {
                    why: why.as_str().into(),
                };
                work.refuse(&Refusal::Failed(failure));
                Err(why)
            }
        }
    }

    /// Durable when it returns; says whether a checkpoint is due.
    fn write(&mut self, work: &mut Work) -> Result<bool, WriteError> {
        self.disk.begin()?;
        for change in &work.changes {
            self.disk.write_change(change)?;
        }
        for (id, ttl) in &work.ended {
            self.disk.delete_lease(*id, millis(*ttl))?;
        }
        for reply in &work.replies {
            if let Reply::Grant(_, ttl) = reply {
                work.granted.push(self.disk.write_lease(millis(*ttl))?);
            }
        }
        let index = self.shared.index.read();
        if let Some(to) = work.compact_to {
            self.disk.compact(to, &index.compaction(to))?;
        }
        let head = Revision(index.head().0 + work.changes.len() as u64);
        drop(index);
        let checkpoint = self.disk.log_bytes() >= CHECKPOINT_BYTES;
        let leases = !work.ended.is_empty() || !work.granted.is_empty();
        if checkpoint || leases || work.compact_to.is_some() {
            self.disk.write_state(head)?;
        }
        self.disk.commit()?;
        Ok(checkpoint)
    }

    /// Lets readers see what is durable now.
    fn publish(&self, work: &Work) {
        let mut index = self.shared.index.write();
        let mut leases = self.shared.leases.lock();
        let now = Instant::now();
        let ttls = work.replies.iter().filter_map(|reply| match reply {
            Reply::Grant(_, ttl) => Some(*ttl),
            _ => None,
        });
        for (id, ttl) in work.granted.iter().zip(ttls) {
            leases.insert(*id, ttl, now);
        }
        for change in &work.changes {
            for event in &change.events {
                let key = event.key();
                if let Some(old) = index.lease_of(key) {
                    leases.detach(old, key);
                }
                if let Event::Put(item) = event
                    && let Some(id) = item.lease
                {
                    leases.attach(id, key.clone());
                }
            }
            index.apply(Arc::clone(change));
        }
        for (id, _) in &work.ended {
            leases.remove(*id);
        }
        if let Some(to) = work.compact_to {
            index.compact(to);
        }
        let head = index.head();
        drop((index, leases));
        self.shared.head.send_replace(head);
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        match self.disk.checkpoint(false) {
            // The log keeps what did not fit into the main file.
            Ok(()) | Err(WriteError::NoSpace) => Ok(()),
            Err(WriteError::Broken(why)) => {
                let place = self.shared.place();
                Err(format!("a checkpoint in {place} failed: {why}"))
            }
        }
    }

    /// Takes back what was begun, and empties SQLite's log with the space held in reserve: then
    /// deletes find room in the log again.
    fn make_room(&mut self) -> Result<(), String> {
        let space_or = |done: Result<(), WriteError>| match done {
            Ok(()) | Err(WriteError::NoSpace) => Ok(()),
            Err(WriteError::Broken(why)) => Err(why),
        };
        space_or(self.disk.rollback())?;
        self.low = true;
        self.target = self.disk.state().compacted;
        self.shared.files.release_reserve();
        let head = self.shared.index.read().head();
        space_or(self.disk.fold(head))?;
        space_or(self.disk.rollback())
    }

    /// The disk is full: nothing of the work is done.
    fn refuse(&mut self, work: Work) -> Result<(), String> {
        let place = self.shared.place();
        self.make_room()
            .map_err(|why| format!("making room in {place}, which is full, failed: {why}"))?;
        let refusal = Refusal::NoSpace { place };
        for (_, to) in self.compacting.drain(..) {
            drop(to.send(Err(refusal.clone().into())));
        }
        let mut leases = self.shared.leases.lock();
        let now = Instant::now();
        for (id, _) in &work.ended {
            leases.end_later(*id, now);
        }
        drop(leases);
        work.refuse(&refusal);
        Ok(())
    }
}
