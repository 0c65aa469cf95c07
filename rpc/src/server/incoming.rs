//! A call on its way to its handler, and the way back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::sender::StreamSender;
use crate::frame::{self, Header, Kind};
use crate::{Code, Context, Deserializable, Error, Metadata, ProcedureId, Serializable};

/// A handler at work.
pub type HandlerFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call on its way to its handler, and the way back. Only generated code uses it.
pub struct Incoming {
    pub(crate) context: Context,
    pub(crate) payload: Bytes,
}

impl Incoming {
    /// Which procedure is called.
    #[must_use]
    pub fn procedure(&self) -> ProcedureId {
        self.context.procedure
    }

    /// What the handler may know.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Reads the arguments; if they cannot be read, answers that and returns `None`.
    #[must_use]
    pub fn args<A: Deserializable>(&mut self) -> Option<A> {
        let payload = std::mem::take(&mut self.payload);
        let error = match A::decode(self.context.codec, &payload) {
            Ok(args) => return Some(args),
            Err(error) => error,
        };
        let id = self.context.procedure;
        let message = format!("failed to read the arguments of procedure {id}: {error}");
        let error = Error::new(Code::BadPayload, "bad-payload", message)
            .with_hint("`orrery describe` shows the arguments of each procedure");
        self.fail(&error);
        None
    }

    /// Where the items of a stream go.
    #[must_use]
    pub fn sender<T: Serializable>(&self) -> StreamSender<T> {
        let Context {
            connection,
            call,
            codec,
            ..
        } = &self.context;
        StreamSender::new(Arc::clone(connection), *call, *codec)
    }

    /// Answers that there is no such procedure.
    #[must_use]
    pub fn unknown(self) -> HandlerFuture {
        let name = &self.context.connection.router.name;
        self.fail(&unknown_procedure(name, self.procedure()));
        Box::pin(std::future::ready(()))
    }

    /// Ends a unary call.
    pub fn finish<T: Serializable>(mut self, result: Result<T, Error>) {
        match result {
            Ok(value) => {
                let Context {
                    connection,
                    call,
                    codec,
                    reply,
                    ..
                } = &mut self.context;
                let written = connection.respond(*codec, *call, reply.get_mut(), &value);
                self.count(written);
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Ends a stream.
    pub fn finish_stream(self, result: Result<(), Error>) {
        let Context {
            connection,
            call,
            codec,
            ..
        } = &self.context;
        let limit = connection.frame_bytes_max;
        self.count(result.is_ok());
        connection.send(|shared| {
            // Behind the items, so that it does not overtake them.
            let out = &mut shared.outbox.bulk;
            if let Err(e) = &result {
                return frame::append_failure(out, limit, *codec, *call, e);
            }
            let header = Header::new(Kind::End, *call).with_codec(*codec);
            let reply = self.context.reply.lock();
            let fits = reply
                .check()
                .and_then(|()| frame::append::<Error>(out, limit, &header, &reply, |_| Ok(())));
            if fits.is_err() {
                // The end must arrive, even if what was to be said beside it does not fit.
                let _ = frame::append::<Error>(out, limit, &header, &Metadata::new(), |_| Ok(()));
            }
        });
    }

    fn fail(&self, error: &Error) {
        let Context {
            connection,
            call,
            codec,
            ..
        } = &self.context;
        self.count(false);
        connection.fail(*codec, *call, error);
    }

    fn count(&self, succeeded: bool) {
        let Context {
            connection, route, ..
        } = &self.context;
        connection.router.route(*route).stats.finish(succeeded);
    }
}

pub(crate) fn unknown_procedure(server: &str, id: ProcedureId) -> Error {
    let message = format!("{server} has no procedure {id}");
    Error::new(Code::UnknownProcedure, "unknown-procedure", message)
        .with_hint(format!("`orrery describe {server}` lists what it has"))
}
