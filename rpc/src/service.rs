//! One declaration, from which the server's trait, the client and `DESCRIBE` come.

use schemars::Schema;

use crate::ProcedureId;
use crate::server::{HandlerFuture, Incoming};

/// What a call may do to the server's state, and so what a client may do about a lost answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing; may be repeated.
    Read,
    /// Changes state, and twice is the same as once; may be repeated.
    Idempotent,
    /// Changes state; never repeated by the client unless it was certainly not done.
    Write,
}

impl Access {
    /// Whether a client may repeat a call whose answer was lost.
    #[must_use]
    pub fn may_repeat(self) -> bool {
        self != Self::Write
    }

    /// The word in the procedure table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Write => "write",
        }
    }
}

/// How many answers a procedure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    Unary,
    /// Any number, until either side ends it.
    Stream,
}

/// What is known of a procedure without calling it.
#[derive(Debug)]
pub struct Procedure {
    /// Its number, unique in the fleet.
    pub id: ProcedureId,
    /// Its name, unique in its service.
    pub name: &'static str,
    /// What it may do.
    pub access: Access,
    /// How many answers it has.
    pub shape: Shape,
    /// Its documentation.
    pub about: &'static str,
    /// JSON schema of its arguments.
    pub arguments: fn() -> Schema,
    /// JSON schema of its result, or of each item.
    pub result: fn() -> Schema,
}

/// What [`service!`](crate::service) makes of an implementation, for the server to call.
pub trait Dispatch: Send + Sync + 'static {
    /// The procedures, in the order of their declaration.
    fn procedures(&self) -> &'static [Procedure];
    /// Starts a call of one of them. Not to be called by hand.
    #[doc(hidden)]
    fn call(&self, incoming: Incoming) -> HandlerFuture;
}

/// Declares a service once.
///
/// ```text
/// rpc::service! {
///     /// What it is for.
///     trait Echo, client EchoClient, dispatch EchoDispatch, name SYSTEM_NAME;
///     /// Answers with what it was sent.
///     read 101 ECHO_PROCEDURE echo(EchoArgs) -> EchoReply;
/// }
/// ```
///
/// Each procedure starts with what it may do: `read`, `idempotent`, `write`; or, for a stream of
/// answers, `read_stream`, `write_stream`. Made from it: a constant for each procedure, the trait
/// to implement, the client with a method for each procedure, and the dispatch for
/// [`Server::service`](crate::Server::service). In the trait, a unary procedure is
/// `async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error>`, and a
/// stream is `async fn watch(&self, context: &Context, args: WatchArgs, out: StreamSender<Event>)
/// -> Result<(), Error>`.
#[macro_export]
macro_rules! service {
    (
        $(#[doc = $service_doc:literal])*
        trait $service:ident, client $client:ident, dispatch $dispatch:ident, name $name:expr;
        $(
            $(#[doc = $doc:literal])*
            $access:ident $id:literal $constant:ident $method:ident($args:ty) -> $reply:ty;
        )*
    ) => {
        $(
            $(#[doc = $doc])*
            pub const $constant: $crate::ProcedureId = $id;
        )*

        $(#[doc = $service_doc])*
        pub trait $service: Send + Sync + 'static {
            $( $crate::__service!(@signature $access, [$($doc)*], $method, $args, $reply); )*
        }

        $(#[doc = $service_doc])*
        #[derive(Clone, Debug)]
        pub struct $client {
            channel: $crate::Channel,
            options: $crate::CallOptions,
        }

        impl $client {
            /// The name under which discovery knows the service.
            pub const SERVICE: &'static str = $name;

            /// A client that calls through this channel.
            #[must_use]
            pub fn new(channel: $crate::Channel) -> Self {
                Self { channel, options: $crate::CallOptions::default() }
            }

            /// The same client, whose calls have these options.
            #[must_use]
            pub fn with(&self, options: $crate::CallOptions) -> Self {
                Self { channel: self.channel.clone(), options }
            }

            $(
                $crate::__service!(
                    @client $access, [$($doc)*], $constant, $method, $args, $reply
                );
            )*
        }

        /// Lets a server call an implementation.
        #[derive(Debug)]
        pub struct $dispatch<S>(::std::sync::Arc<S>);

        impl<S: $service> $dispatch<S> {
            /// Takes the implementation.
            #[must_use]
            pub fn new(service: S) -> Self {
                Self(::std::sync::Arc::new(service))
            }

            /// Takes an implementation that others hold too.
            #[must_use]
            pub fn shared(service: ::std::sync::Arc<S>) -> Self {
                Self(service)
            }
        }

        impl<S: $service> $crate::Dispatch for $dispatch<S> {
            fn procedures(&self) -> &'static [$crate::Procedure] {
                static PROCEDURES: &[$crate::Procedure] = &[$(
                    $crate::Procedure {
                        id: $id,
                        name: stringify!($method),
                        access: $crate::__service!(@access $access),
                        shape: $crate::__service!(@shape $access),
                        about: concat!($($doc, "\n"),*),
                        arguments: || $crate::__private::schemars::schema_for!($args),
                        result: || $crate::__private::schemars::schema_for!($reply),
                    },
                )*];
                PROCEDURES
            }

            fn call(
                &self,
                incoming: $crate::__private::Incoming,
            ) -> $crate::__private::HandlerFuture {
                let service = ::std::sync::Arc::clone(&self.0);
                match incoming.procedure() {
                    $( $id => $crate::__service!(@call $access, incoming, service, $method), )*
                    _ => incoming.unknown(),
                }
            }
        }
    };
}

/// The parts of [`service!`] that differ by kind of procedure.
#[doc(hidden)]
#[macro_export]
macro_rules! __service {
    (@access read) => { $crate::Access::Read };
    (@access read_stream) => { $crate::Access::Read };
    (@access idempotent) => { $crate::Access::Idempotent };
    (@access write) => { $crate::Access::Write };
    (@access write_stream) => { $crate::Access::Write };

    (@shape read_stream) => { $crate::Shape::Stream };
    (@shape write_stream) => { $crate::Shape::Stream };
    (@shape $unary:ident) => { $crate::Shape::Unary };

    (@signature read_stream, $($rest:tt)*) => { $crate::__service!(@stream_fn $($rest)*); };
    (@signature write_stream, $($rest:tt)*) => { $crate::__service!(@stream_fn $($rest)*); };
    (@signature $unary:ident, $($rest:tt)*) => { $crate::__service!(@unary_fn $($rest)*); };
    (@unary_fn [$($doc:literal)*], $method:ident, $args:ty, $reply:ty) => {
        $(#[doc = $doc])*
        fn $method(
            &self,
            context: &$crate::Context,
            args: $args,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<$reply, $crate::Error>,
        > + Send;
    };
    (@stream_fn [$($doc:literal)*], $method:ident, $args:ty, $reply:ty) => {
        $(#[doc = $doc])*
        fn $method(
            &self,
            context: &$crate::Context,
            args: $args,
            out: $crate::StreamSender<$reply>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), $crate::Error>,
        > + Send;
    };

    (@client read_stream, $($rest:tt)*) => { $crate::__service!(@client_stream $($rest)*); };
    (@client write_stream, $($rest:tt)*) => { $crate::__service!(@client_stream $($rest)*); };
    (@client $access:ident, [$($doc:literal)*], $id:ident, $method:ident, $args:ty, $reply:ty) => {
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// What the server answered, or why it could not be asked: see [`Error`]($crate::Error).
        pub async fn $method(
            &self,
            args: &$args,
        ) -> ::core::result::Result<$reply, $crate::Error> {
            let access = $crate::__service!(@access $access);
            self.channel.call($id, access, args, &self.options).await
        }
    };
    (@client_stream [$($doc:literal)*], $id:ident, $method:ident, $args:ty, $reply:ty) => {
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// Why the stream could not be opened; what ends it later comes from the stream itself.
        pub async fn $method(
            &self,
            args: &$args,
        ) -> ::core::result::Result<$crate::Streaming<$reply>, $crate::Error> {
            self.channel.open($id, args, &self.options).await
        }
    };

    (@call read_stream, $($rest:tt)*) => { $crate::__service!(@call_stream $($rest)*) };
    (@call write_stream, $($rest:tt)*) => { $crate::__service!(@call_stream $($rest)*) };
    (@call $unary:ident, $incoming:ident, $service:ident, $method:ident) => {
        ::std::boxed::Box::pin(async move {
            let mut incoming = $incoming;
            if let Some(args) = incoming.args() {
                let result = $service.$method(incoming.context(), args).await;
                incoming.finish(result);
            }
        })
    };
    (@call_stream $incoming:ident, $service:ident, $method:ident) => {
        ::std::boxed::Box::pin(async move {
            let mut incoming = $incoming;
            if let Some(args) = incoming.args() {
                let sender = incoming.sender();
                let result = $service.$method(incoming.context(), args, sender).await;
                incoming.finish_stream(result);
            }
        })
    };
}
