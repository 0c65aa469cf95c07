//! Words for people and for log collectors, on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::LogFormat;
use crate::exit::{Exit, Failure};
use crate::settings::Common;

/// Starts logging for this process.
pub(crate) fn start(common: &Common) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&common.log).map_err(|e| {
        Failure::new(Exit::Config, format!("bad value for `log`: {e}"))
            .with_hint("it is like `info,rpc=debug`")
    })?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match common.log_format {
        LogFormat::Human => lines.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|e| Failure::new(Exit::Software, format!("failed to start logging: {e}")))
}
