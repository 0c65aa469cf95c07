//! What callers show, what a guard makes of it, and what is passed on.

use std::sync::Arc;

use rpc::{
    AUTHORIZATION, CallOptions, Caller, Channel, Code, Context, Credential, Deserializable, Empty,
    Error, Guard, Metadata, Procedure, Running, Serializable, Server,
};

/// What a call looked like to the mirror.
#[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
pub struct Shown {
    /// The token that came.
    pub token: Option<String>,
    /// What the guard made of it.
    pub caller: String,
    /// What goes with calls made on the caller's behalf.
    pub passed_on: String,
}

rpc::service! {
    /// Says what it was shown.
    trait Mirror, client MirrorClient, dispatch MirrorDispatch, name "mirror";
    /// Says what it was shown.
    read 9301 LOOK_PROCEDURE look(Empty) -> Shown;
}

struct Glass;

impl Mirror for Glass {
    async fn look(&self, context: &Context, _: Empty) -> Result<Shown, Error> {
        let passed_on = context.options().metadata;
        Ok(Shown {
            token: context.metadata().text(AUTHORIZATION).map(str::to_owned),
            caller: context.caller().expect("a guard").name.to_string(),
            passed_on: passed_on.text(AUTHORIZATION).expect("a token").to_owned(),
        })
    }
}

/// Lets in whoever does not say `thief`.
struct Doorkeeper;

impl Guard for Doorkeeper {
    fn check(&self, context: &Context, _: &Procedure) -> Result<(), Error> {
        let token = context.metadata().text(AUTHORIZATION).unwrap_or("nobody");
        if token == "thief" {
            let refused = Error::new(Code::PermissionDenied, "thief", "not you");
            return Err(refused);
        }
        context.set_caller(Caller {
            name: token.into(),
            details: Arc::new(()),
        });
        Ok(())
    }
}

async fn mirror() -> (Running, Channel) {
    let server = Server::new("mirror", "1.0.0")
        .guard(Doorkeeper)
        .service(MirrorDispatch::new(Glass));
    let any = "127.0.0.1:0".parse().unwrap();
    let running = server.listen(any).await.unwrap();
    let channel = Channel::to(running.address());
    (running, channel)
}

fn bringing(token: &'static str) -> CallOptions {
    let mut metadata = Metadata::new();
    metadata.set("other", "value");
    metadata.set(AUTHORIZATION, token);
    CallOptions {
        metadata,
        ..CallOptions::default()
    }
}

async fn look(channel: Channel, options: CallOptions) -> Result<Shown, Error> {
    MirrorClient::new(channel)
        .with(options)
        .look(&Empty {})
        .await
}

#[tokio::test]
async fn without_a_credential_nothing_is_shown_and_nothing_is_passed_on() {
    let (_running, channel) = mirror().await;
    let shown = look(channel, CallOptions::default()).await.unwrap();
    assert_eq!((shown.token, shown.caller.as_str()), (None, "nobody"));
    assert_eq!(shown.passed_on, "");
}

#[tokio::test]
async fn a_channels_credential_goes_with_every_call_and_can_be_replaced() {
    let (_running, channel) = mirror().await;
    let credential = Credential::new("ada");
    let channel = channel.with_credential(credential.clone());
    let shown = look(channel.clone(), CallOptions::default()).await.unwrap();
    assert_eq!(shown.token.as_deref(), Some("ada"));
    assert_eq!(shown.passed_on, "ada");
    credential.replace("grace");
    let shown = look(channel, CallOptions::default()).await.unwrap();
    assert_eq!(shown.caller, "grace");
}

#[tokio::test]
async fn a_token_that_the_call_brings_wins_also_an_empty_one() {
    let (_running, channel) = mirror().await;
    let channel = channel.with_credential(Credential::new("ada"));
    let shown = look(channel.clone(), bringing("grace")).await.unwrap();
    assert_eq!(shown.caller, "grace");
    let shown = look(channel, bringing("")).await.unwrap();
    assert_eq!(shown.token.as_deref(), Some(""));
}

#[tokio::test]
async fn a_guard_refuses_before_the_handler_sees_the_call() {
    let (_running, channel) = mirror().await;
    let refused = look(channel, bringing("thief")).await.unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_eq!(refused.reason, "thief");
}

#[tokio::test]
async fn an_installed_credential_serves_channels_that_have_none() {
    let (_running, channel) = mirror().await;
    assert!(Credential::new("process").install());
    assert!(!Credential::new("second").install());
    let shown = look(channel.clone(), CallOptions::default()).await.unwrap();
    assert_eq!(shown.caller, "process");
    let own = channel.with_credential(Credential::new("own"));
    let shown = look(own, CallOptions::default()).await.unwrap();
    assert_eq!(shown.caller, "own");
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_an_error_and_not_a_broken_connection() {
    let (_running, channel) = mirror().await;
    let huge = channel
        .clone()
        .with_credential(Credential::new(vec![b'x'; 70_000]));
    let refused = look(huge, CallOptions::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::TooLarge);
    assert!(look(channel, CallOptions::default()).await.is_ok());
}

#[test]
fn a_credential_does_not_show_its_token_to_logs() {
    let text = format!("{:?}", Credential::new("secret"));
    assert_eq!(text, "Credential");
}
