//! The connection to one worker: what it says is passed on, what it is told is told in order.

use std::time::Duration;

use dataflow::events::TaskMetrics;
use pipelines::reason;
use pipelines::workers::{
    BarrierArgs, CommitArgs, EndArgs, Meant, PipelineWorkerClient, StartArgs, Word,
};
use rpc::{CallOptions, Channel, Error};
use streaming::{Event, Generation, Message, WorkerId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::backend::WorkerRecord;
use crate::mail::Input;

/// How long a worker may take to obey.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to say what it counts.
const COUNT_PATIENCE: Duration = Duration::from_secs(1);

/// What a worker is told.
pub(crate) enum Order {
    Start(String),
    Barrier { epoch: u64, then_stop: bool },
    Commit { epoch: u64 },
    End { graceful: bool },
}

/// A connection to a worker; closed when it is dropped.
pub(crate) struct Link {
    orders: UnboundedSender<Order>,
    client: PipelineWorkerClient,
    meant: Meant,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Clone)]
struct Passes {
    to: UnboundedSender<Input>,
    generation: Generation,
    worker: WorkerId,
}

impl Passes {
    fn message(&self, message: Message) {
        let event = Event::Worker {
            generation: self.generation,
            worker: self.worker,
            message,
        };
        // Without an executor nobody has to know.
        let _ = self.to.send(Input::Event(event));
    }

    fn word(&self, word: Word) {
        let _ = self.to.send(Input::Word {
            generation: self.generation,
            worker: self.worker,
            word,
        });
    }
}

impl Link {
    /// Connects; whether that worked is said as a message of the worker.
    pub(crate) fn open(
        id: WorkerId,
        worker: &WorkerRecord,
        to: UnboundedSender<Input>,
    ) -> Option<Self> {
        let client = PipelineWorkerClient::new(Channel::to(worker.address?));
        let meant = Meant {
            secret: worker.secret.clone(),
            generation: worker.generation,
        };
        let passes = Passes {
            to,
            generation: Generation(worker.generation),
            worker: id,
        };
        let (orders, received) = unbounded_channel();
        let listening = tokio::spawn(listen(client.clone(), meant.clone(), passes.clone()));
        let telling = tokio::spawn(tell(client.clone(), meant.clone(), passes, received));
        Some(Self {
            orders,
            client,
            meant,
            tasks: [listening, telling],
        })
    }

    /// Tells it something; what comes of it, it says itself.
    pub(crate) fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// What its tasks count; nothing if it does not answer in time.
    pub(crate) fn count(&self) -> impl Future<Output = Vec<TaskMetrics>> + Send + 'static {
        let options = CallOptions {
            timeout: Some(COUNT_PATIENCE),
            ..CallOptions::default()
        };
        let (client, meant) = (self.client.with(options), self.meant.clone());
        async move {
            let counted = client.count(&meant).await;
            let tasks = counted.map(|counted| counted.tasks).unwrap_or_default();
            serde_json::from_str(&tasks).unwrap_or_default()
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(client: PipelineWorkerClient, meant: Meant, passes: Passes) {
    let once = CallOptions {
        once: true,
        ..CallOptions::default()
    };
    let opened = client.with(once).listen(&meant).await;
    let mut words = match opened {
        Ok(words) => words,
        Err(error) => return passes.message(Message::ChannelFailed(error.to_string())),
    };
    let mut open = false;
    loop {
        let said = words.next().await;
        let why = match said {
            Some(Ok(said)) => match serde_json::from_str(&said.word) {
                Ok(word) => {
                    if !std::mem::replace(&mut open, true) {
                        passes.message(Message::ChannelOpen);
                    }
                    passes.word(word);
                    continue;
                }
                Err(error) => format!("it says what nobody understands: {error}"),
            },
            Some(Err(error)) => error.to_string(),
            None => "it says nothing more".into(),
        };
        return passes.message(match open {
            true => Message::Lost(why),
            false => Message::ChannelFailed(why),
        });
    }
}

async fn tell(
    client: PipelineWorkerClient,
    meant: Meant,
    passes: Passes,
    mut orders: UnboundedReceiver<Order>,
) {
    let options = CallOptions {
        timeout: Some(PATIENCE),
        ..CallOptions::default()
    };
    let client = client.with(options);
    while let Some(order) = orders.recv().await {
        let meant = meant.clone();
        let starts = matches!(order, Order::Start(_));
        let told = match order {
            Order::Start(execution) => client.start(&StartArgs { meant, execution }).await,
            Order::Barrier { epoch, then_stop } => {
                let args = BarrierArgs {
                    meant,
                    epoch,
                    then_stop,
                };
                client.barrier(&args).await
            }
            Order::Commit { epoch } => client.commit(&CommitArgs { meant, epoch }).await,
            Order::End { graceful } => client.end(&EndArgs { meant, graceful }).await,
        };
        match told {
            Ok(_) => {}
            Err(error) if starts => passes.message(not_started(&error)),
            // Its state machine has a deadline for whatever was to come of it.
            Err(error) => tracing::warn!(worker = %passes.worker, %error, "an order failed"),
        }
    }
}

fn not_started(error: &Error) -> Message {
    if error.reason == reason::CANNOT_SET_UP {
        return Message::NotInitialized(error.message.clone());
    }
    Message::Refused(error.to_string())
}
