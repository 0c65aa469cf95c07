//! One task: a thread that drives a chain of operators from its inbox or its source.

mod chain;
mod outputs;
mod snapshots;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

pub(crate) use chain::Chain;
pub(crate) use outputs::{Outputs, Route, Target};
pub(crate) use snapshots::{Restored, Snapshots};

use crate::columns::{Batch, END_OF_TIME};
use crate::events::{Counters, Step};
use crate::failure::Halt;
use crate::inbox::{Barrier, Control, Inbox, Message, Received};
use crate::sources::{Read, Source};

/// A task that is ready to run.
pub(crate) struct Task {
    pub(crate) chain: Chain,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) source: Option<(String, Source)>,
    /// The port of each input channel.
    pub(crate) ports: Vec<u32>,
    pub(crate) snapshots: Snapshots,
    pub(crate) counters: Arc<Counters>,
    /// What the restored state had seen.
    pub(crate) watermark: Option<i64>,
}

/// How a task ended.
pub(crate) enum Ending {
    /// All data has come: it is part of every later checkpoint with the state it has now.
    Data,
    /// It was told to.
    Told,
}

/// The input channels of a task: how far each has come.
struct Inputs {
    watermarks: Vec<Option<i64>>,
    ended: Vec<bool>,
    stopped: Vec<bool>,
    aligned: Vec<bool>,
    barrier: Option<Barrier>,
}

impl Inputs {
    fn new(channels: usize) -> Inputs {
        Inputs {
            watermarks: vec![None; channels],
            ended: vec![false; channels],
            stopped: vec![false; channels],
            aligned: vec![false; channels],
            barrier: None,
        }
    }

    /// The least watermark; none until every channel has spoken.
    fn watermark(&self) -> Option<i64> {
        self.watermarks.iter().copied().min().flatten()
    }

    fn all(&self, what: impl Fn(usize) -> bool) -> bool {
        (0..self.ended.len()).all(what)
    }
}

impl Task {
    /// Runs until the end of data, or until it is told to end.
    pub(crate) fn run(&mut self) -> Result<Ending, Halt> {
        if let Some(watermark) = self.watermark {
            self.chain.outputs.watermark(watermark)?;
        }
        let ending = match self.source.is_some() {
            true => self.run_source(),
            false => self.run_inputs(),
        };
        if !matches!(ending, Ok(Ending::Data)) {
            self.chain.discard();
        }
        ending
    }

    fn run_source(&mut self) -> Result<Ending, Halt> {
        let mut wait = Duration::ZERO;
        loop {
            while let Some(control) = self.inbox.poll(wait)? {
                wait = Duration::ZERO;
                match control {
                    Control::Checkpoint(barrier) => {
                        self.checkpoint(barrier)?;
                        if barrier.then_stop {
                            return self.stopped();
                        }
                    }
                    Control::Stop => {
                        self.chain.outputs.all(&Message::Stop)?;
                        return Ok(Ending::Told);
                    }
                    Control::Commit(epoch) => self.commit(epoch)?,
                    Control::Step(rows) => self.reader().step(rows),
                }
            }
            if self.reader().waits() {
                wait = Duration::from_secs(1);
                continue;
            }
            wait = match self.reader().read()? {
                Read::Batch(batch) => {
                    self.rows(0, batch)?;
                    Duration::ZERO
                }
                Read::Quiet => self.reader().linger.max(Duration::from_millis(1)),
                Read::End => return self.end(),
            };
            if let Some(watermark) = self.reader().advanced() {
                self.advance(watermark)?;
            }
        }
    }

    fn reader(&mut self) -> &mut Source {
        &mut self.source.as_mut().expect("only sources read").1
    }

    fn run_inputs(&mut self) -> Result<Ending, Halt> {
        let mut inputs = Inputs::new(self.ports.len());
        loop {
            let (channel, message) = match self.inbox.receive()? {
                Received::Control(Control::Commit(epoch)) => {
                    self.commit(epoch)?;
                    continue;
                }
                Received::Control(_) => continue,
                Received::Message(channel, message) => (channel, message),
            };
            match message {
                Message::Batch(batch) => self.rows(self.ports[channel], batch)?,
                Message::Watermark(time) => inputs.watermarks[channel] = Some(time),
                Message::Barrier(barrier) => self.hold(&mut inputs, channel, barrier),
                Message::Stop => inputs.stopped[channel] = true,
                Message::End => {
                    inputs.ended[channel] = true;
                    inputs.watermarks[channel] = Some(END_OF_TIME);
                }
            }
            if let Some(time) = inputs.watermark().filter(|time| *time != END_OF_TIME) {
                self.advance(time)?;
            }
            if let Some(ending) = self.signals(&mut inputs)? {
                return Ok(ending);
            }
        }
    }

    fn hold(&mut self, inputs: &mut Inputs, channel: usize, barrier: Barrier) {
        if inputs.barrier.is_none() {
            self.snapshots.progress(barrier.epoch, Step::Aligning);
        }
        inputs.barrier = Some(barrier);
        inputs.aligned[channel] = true;
        self.inbox.hold(channel);
    }

    /// What is due now that a signal may have come on every channel.
    fn signals(&mut self, inputs: &mut Inputs) -> Result<Option<Ending>, Halt> {
        if inputs.all(|at| inputs.ended[at]) && inputs.barrier.is_none() {
            return self.end().map(Some);
        }
        if let Some(barrier) = inputs.barrier {
            let silent = |at: usize| inputs.ended[at] || inputs.stopped[at];
            if inputs.all(|at| inputs.aligned[at] || silent(at)) {
                self.checkpoint(barrier)?;
                if barrier.then_stop {
                    return self.stopped().map(Some);
                }
                inputs.barrier = None;
                inputs.aligned.fill(false);
                self.inbox.release();
            }
        } else if inputs.all(|at| inputs.ended[at] || inputs.stopped[at]) {
            self.chain.outputs.all(&Message::Stop)?;
            return Ok(Some(Ending::Told));
        }
        Ok(None)
    }

    fn rows(&mut self, port: u32, batch: Batch) -> Result<(), Halt> {
        self.counters
            .rows_in
            .fetch_add(batch.num_rows() as u64, Relaxed);
        self.chain.rows(port, batch)
    }

    fn advance(&mut self, time: i64) -> Result<(), Halt> {
        if self.watermark.is_some_and(|watermark| watermark >= time) {
            return Ok(());
        }
        self.watermark = Some(time);
        self.counters.watermark.store(time, Relaxed);
        self.chain.watermark(time)?;
        self.chain.measure(&self.counters);
        Ok(())
    }

    /// Takes the state of this moment, lets the barrier pass, and has the state written.
    fn checkpoint(&mut self, barrier: Barrier) -> Result<(), Halt> {
        self.snapshots.progress(barrier.epoch, Step::Snapshotting);
        let base = self.snapshots.base();
        let mut states = self.chain.snapshot(barrier.epoch, base)?;
        states.extend(
            self.source
                .as_ref()
                .map(|(node, source)| (node.clone(), source.state())),
        );
        for (_, state) in &mut states {
            state.watermark = self.watermark;
        }
        let needs_commit = self.chain.needs_commit();
        self.chain.outputs.all(&Message::Barrier(barrier))?;
        self.chain.measure(&self.counters);
        self.snapshots
            .write(barrier.epoch, states, needs_commit, barrier.then_stop);
        Ok(())
    }

    fn commit(&mut self, epoch: u64) -> Result<(), Halt> {
        self.chain.commit(epoch)?;
        self.snapshots.complete(epoch);
        Ok(())
    }

    /// All is stored and it should stop; what waits for a commit still waits for it.
    fn stopped(&mut self) -> Result<Ending, Halt> {
        while self.chain.needs_commit() {
            let waited = self.inbox.poll(Duration::from_secs(1))?;
            if let Some(Control::Commit(epoch)) = waited {
                self.commit(epoch)?;
            }
        }
        Ok(Ending::Told)
    }

    fn end(&mut self) -> Result<Ending, Halt> {
        self.advance(END_OF_TIME)?;
        self.chain.end()?;
        self.chain.outputs.all(&Message::Watermark(END_OF_TIME))?;
        self.chain.outputs.all(&Message::End)?;
        let mut states = self.chain.snapshot(u64::MAX, 0)?;
        states.extend(
            self.source
                .as_ref()
                .map(|(node, source)| (node.clone(), source.state())),
        );
        for (_, state) in &mut states {
            state.watermark = Some(END_OF_TIME);
        }
        self.snapshots.last(states);
        Ok(Ending::Data)
    }
}
