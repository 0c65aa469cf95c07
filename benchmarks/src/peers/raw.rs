//! The ceiling: length-delimited frames over tokio, sent back as they came.
//!
//! No ids, no deadlines, no tasks: one loop per side that reads all there is, answers it, and
//! writes once. Whatever a protocol adds can only cost.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::Failure;
use crate::calls::{LATENCY_NS_MAX, Meter, Outcome, Schedule, Work};
use crate::units::nanos;
use hdrhistogram::Histogram;

/// A connection.
pub(crate) type Frames = Framed<TcpStream, LengthDelimitedCodec>;

fn frames(stream: TcpStream) -> std::io::Result<Frames> {
    stream.set_nodelay(true)?;
    Ok(Framed::new(stream, LengthDelimitedCodec::new()))
}

/// The side of `frames` that sends; the codec takes more than one type, so it has to be said.
fn sink(frames: &mut Frames) -> Pin<&mut impl Sink<Bytes, Error = std::io::Error>> {
    Pin::new(frames)
}

/// Echoes, for as long as the process runs.
pub(crate) async fn serve(listener: TcpListener) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        // A connection that fails is its client's to report.
        tokio::spawn(echo(frames(stream)?));
    }
}

async fn echo(mut frames: Frames) -> std::io::Result<()> {
    while let Some(frame) = frames.next().await {
        frames.feed(frame?.freeze()).await?;
        while let Some(Some(frame)) = frames.next().now_or_never() {
            frames.feed(frame?.freeze()).await?;
        }
        SinkExt::<Bytes>::flush(&mut frames).await?;
    }
    Ok(())
}

/// Does `work` on one connection.
///
/// # Errors
/// If the connection fails.
pub(crate) async fn load(address: SocketAddr, work: Work) -> Result<Outcome, Failure> {
    let frames = connect(address).await?;
    match work {
        Work::Closed {
            in_flight,
            payload,
            lasting,
        } => {
            let meter = Meter::new(lasting)?;
            let mut pump = Pump {
                frames,
                payload,
                meter: Arc::clone(&meter),
                to_send: in_flight,
                in_flight: VecDeque::with_capacity(in_flight),
            };
            std::future::poll_fn(|cx| pump.poll(cx)).await?;
            meter.outcome()
        }
        Work::Open {
            per_second,
            payload,
            lasting,
        } => open_loop(frames, Schedule::new(per_second, lasting), payload, lasting).await,
    }
}

/// Sends frames when they are due and reads answers when they are there, and spins meanwhile.
async fn open_loop(
    mut frames: Frames,
    mut schedule: Schedule,
    payload: Bytes,
    lasting: Duration,
) -> Result<Outcome, Failure> {
    let mut latency = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?;
    let mut in_flight = VecDeque::new();
    while !(schedule.is_over() && in_flight.is_empty()) {
        while let Some(due) = schedule.due() {
            in_flight.push_back(due);
            frames.feed(payload.clone()).await?;
        }
        SinkExt::<Bytes>::flush(&mut frames).await?;
        while let Some(answer) = frames.next().now_or_never() {
            answer.ok_or("the raw server closed the connection")??;
            let due: Option<Instant> = in_flight.pop_front();
            latency.saturating_record(due.map_or(0, |due| nanos(due.elapsed())));
        }
        tokio::task::yield_now().await;
    }
    Ok(Outcome::of(latency, lasting))
}

/// Connects.
pub(crate) async fn connect(address: SocketAddr) -> Result<Frames, Failure> {
    Ok(frames(TcpStream::connect(address).await?)?)
}

/// Sends one frame, and returns the length of the answer.
pub(crate) async fn call(frames: &mut Frames, payload: Bytes) -> Result<usize, Failure> {
    frames.send(payload).await?;
    let answer = frames.next().await;
    Ok(answer.ok_or("the raw server closed the connection")??.len())
}

/// Reads and writes in turn within one task, so that neither waits for the other.
struct Pump {
    frames: Frames,
    payload: Bytes,
    meter: Arc<Meter>,
    to_send: usize,
    /// Answers come in order, so what was timed is found without an id.
    in_flight: VecDeque<Option<Instant>>,
}

impl Pump {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            while self.to_send > 0 && sink(&mut self.frames).poll_ready(cx)?.is_ready() {
                sink(&mut self.frames).start_send(self.payload.clone())?;
                self.in_flight.push_back(self.meter.begin_call());
                self.to_send -= 1;
            }
            let _ = sink(&mut self.frames).poll_flush(cx)?;
            ready!(self.poll_answer(cx))?;
            while let Poll::Ready(answer) = self.poll_answer(cx) {
                answer?;
            }
            if self.meter.is_over() {
                self.to_send = 0;
                if self.in_flight.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.in_flight.is_empty() {
            return Poll::Pending;
        }
        let Some(frame) = ready!(Pin::new(&mut self.frames).poll_next(cx)) else {
            return Poll::Ready(Err("the raw server closed the connection".into()));
        };
        if frame?.len() != self.payload.len() {
            return Poll::Ready(Err("the raw server changed the payload".into()));
        }
        if let Some(Some(began)) = self.in_flight.pop_front() {
            self.meter.end_call(began);
        }
        self.to_send += 1;
        Poll::Ready(Ok(()))
    }
}
