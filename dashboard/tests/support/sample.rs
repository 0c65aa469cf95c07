//! A service with one procedure of each shape, to be called without its types.

use std::time::Duration;

use rpc::{Context, Deserializable, Error, Serializable, StreamSender};

/// What to say, and how often.
#[derive(Clone, Debug, Serializable, Deserializable)]
pub struct SayArgs {
    /// The words.
    pub text: String,
    /// How often; once when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// How to say it.
    #[serde(default)]
    pub tone: Tone,
}

/// How words are said.
#[derive(Clone, Copy, Debug, Default, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As they are.
    #[default]
    Plain,
    /// In capitals.
    Loud,
}

/// What was said.
#[derive(Clone, Debug, Serializable, Deserializable)]
pub struct Said {
    /// The words.
    pub text: String,
}

rpc::service! {
    /// Says things.
    trait Sample, client SampleClient, dispatch SampleDispatch, name "echo";
    /// Says it back.
    /// In the tone that was asked for.
    read 9101 SAY_PROCEDURE say(SayArgs) -> Said;
    /// Says it several times, one at a time.
    read_stream 9102 REPEAT_PROCEDURE repeat(SayArgs) -> Said;
    /// Never answers.
    write 9103 SLEEP_PROCEDURE sleep(rpc::Empty) -> rpc::Empty;
    /// Fails, and is at fault.
    write 9104 BREAK_PROCEDURE break_down(rpc::Empty) -> rpc::Empty;
    /// Says a few things, and then nothing more for ever.
    read_stream 9105 LINGER_PROCEDURE linger(rpc::Empty) -> Said;
}

/// The service.
pub struct Mouth;

fn said(args: &SayArgs) -> Said {
    let text = match args.tone {
        Tone::Plain => args.text.clone(),
        Tone::Loud => args.text.to_uppercase(),
    };
    Said { text }
}

impl Sample for Mouth {
    async fn say(&self, _: &Context, args: SayArgs) -> Result<Said, Error> {
        Ok(said(&args))
    }

    async fn repeat(
        &self,
        _: &Context,
        args: SayArgs,
        out: StreamSender<Said>,
    ) -> Result<(), Error> {
        for _ in 0..args.times.unwrap_or(1) {
            out.send(&said(&args)).await?;
        }
        Ok(())
    }

    async fn sleep(&self, _: &Context, _: rpc::Empty) -> Result<rpc::Empty, Error> {
        std::future::pending().await
    }

    async fn break_down(&self, _: &Context, _: rpc::Empty) -> Result<rpc::Empty, Error> {
        Err(Error::internal("broken", "a wheel came off").with_hint("put it on again"))
    }

    async fn linger(
        &self,
        context: &Context,
        _: rpc::Empty,
        out: StreamSender<Said>,
    ) -> Result<(), Error> {
        let text = "before the pause".to_owned();
        out.send(&Said { text }).await?;
        let patience = context.remaining().unwrap_or(Duration::from_secs(60));
        let _ = tokio::time::timeout(patience, std::future::pending::<()>()).await;
        Ok(())
    }
}
