//! A call on its way to its handler, and the way back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::connection::ServerConnection;
use super::sender::StreamSender;
use crate::frame::{self, Header, Kind};
use crate::{Code, Context, Deserializable, Error, Metadata, ProcedureId, Serializable};

/// A handler at work.
pub type HandlerFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call on its way to its handler.
pub struct Incoming {
    pub(crate) context: Context,
    pub(crate) payload: Bytes,
    pub(crate) responder: Responder,
}

impl Incoming {
    /// Which procedure is called.
    #[must_use]
    pub fn procedure(&self) -> ProcedureId {
        self.context.procedure
    }

    /// Reads the arguments; if they cannot be read, answers that and returns `None`.
    #[must_use]
    pub fn unary<A: Deserializable>(self) -> Option<(Context, A, Responder)> {
        let Self {
            context,
            payload,
            responder,
        } = self;
        match A::decode(context.codec, &payload) {
            Ok(args) => Some((context, args, responder)),
            Err(e) => {
                let message = format!(
                    "failed to read the arguments of procedure {}: {e}",
                    context.procedure
                );
                let error = Error::new(Code::BadPayload, "bad-payload", message)
                    .with_hint("`orrery describe` shows the arguments of each procedure");
                responder.fail(&context, &error);
                None
            }
        }
    }

    /// The same for a procedure that answers with a stream.
    #[must_use]
    pub fn stream<A: Deserializable, T: Serializable>(
        self,
    ) -> Option<(Context, A, StreamSender<T>, Responder)> {
        let (context, args, responder) = self.unary()?;
        let sender = StreamSender::new(
            Arc::clone(&responder.connection),
            responder.call,
            context.codec,
        );
        Some((context, args, sender, responder))
    }

    /// Answers that there is no such procedure.
    #[must_use]
    pub fn unknown(self) -> HandlerFuture {
        let error = unknown_procedure(&self.responder.connection.router.name, self.procedure());
        self.responder.fail(&self.context, &error);
        Box::pin(std::future::ready(()))
    }
}

pub(crate) fn unknown_procedure(server: &str, id: ProcedureId) -> Error {
    let message = format!("{server} has no procedure {id}");
    Error::new(Code::UnknownProcedure, "unknown-procedure", message)
        .with_hint(format!("`orrery describe {server}` lists what it has"))
}

/// The way back to the caller.
pub struct Responder {
    pub(crate) connection: Arc<ServerConnection>,
    pub(crate) call: u64,
    pub(crate) route: usize,
}

impl Responder {
    /// Ends a unary call.
    pub fn finish<T: Serializable>(self, context: &Context, result: Result<T, Error>) {
        match result {
            Ok(value) => {
                let reply = context.reply.lock();
                let written = self
                    .connection
                    .respond(context.codec, self.call, &reply, &value);
                drop(reply);
                self.count(written);
            }
            Err(error) => self.fail(context, &error),
        }
    }

    /// Ends a stream.
    pub fn finish_stream(self, context: &Context, result: Result<(), Error>) {
        let limit = self.connection.frame_bytes_max;
        self.count(result.is_ok());
        self.connection.send(|shared| {
            // Behind the items, so that it does not overtake them.
            let out = &mut shared.outbox.bulk;
            match &result {
                Ok(()) => {
                    let header = Header::new(Kind::End, self.call).with_codec(context.codec);
                    let reply = context.reply.lock();
                    let fits = frame::append::<Error>(out, limit, &header, &reply, |_| Ok(()));
                    if fits.is_err() {
                        let none = Metadata::new();
                        let _ = frame::append::<Error>(out, limit, &header, &none, |_| Ok(()));
                    }
                }
                Err(e) => frame::append_failure(out, limit, context.codec, self.call, e),
            }
        });
    }

    pub(crate) fn fail(&self, context: &Context, error: &Error) {
        self.count(false);
        self.connection.fail(context.codec, self.call, error);
    }

    fn count(&self, succeeded: bool) {
        self.connection
            .router
            .route(self.route)
            .stats
            .finish(succeeded);
    }
}
