//! One machine's processes: start them, find them again, learn how they end, end them, bound them.
//!
//! The one interface is the trait [`Runtime`]. [`ProcessRuntime`] does it with the kernel,
//! [`FakeRuntime`] does it in memory, for thousands of instances from a script.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use supervision::{Launch, ProcessRuntime, Runtime, Settings};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = ProcessRuntime::start(Settings::new("node-1", "/var/lib/orrery/logs"))?;
//! let launch = Launch::new("echo.0.1".parse()?, "/usr/bin/sleep").arg("60");
//! let running = runtime.spawn(launch).await?;
//! println!("{} runs as {}", running.id(), running.identity().pid);
//! println!("{}", runtime.stop(&running, Duration::from_secs(3)).await?);
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//! - **Children outlive their supervisor.** Nothing is killed on drop; logs are plain files that
//!   the child writes itself, so nobody has to stay alive to read a pipe. A new supervisor
//!   [`Runtime::adopt`]s by boot, pid and start time, never by pid alone, and what was started but
//!   never recorded is found by [`Runtime::survivors`].
//! - **An instance lives no longer than its main process.** When that ends, what it left behind is
//!   killed. [`Runtime::stop`] reports only when nothing is left.
//! - **A limit is enforced or refused**, never weakened: [`SpawnError::LimitNotEnforceable`].
//! - **A process sees only what it was given**: file descriptors 0 to 2, one for each secret that
//!   it is handed (sealed, in memory only), the environment of [`Launch`] and a short list
//!   ([`INHERITED`]), default signal dispositions, its own session.
//!
//! # With and without cgroups
//! Where a cgroup v2 tree is writable, every instance gets a group: it is born inside it
//! (`CLONE_INTO_CGROUP`), so no descendant escapes, and `cgroup.kill` ends them all. Limits are
//! set in v2 where the controllers are there, in the v1 hierarchies of a hybrid machine otherwise.
//! Without cgroups descendants are found by session and by a variable in their environment
//! ([`INSTANCE_VARIABLE`]): a best effort, which a descendant that changes both escapes. (A child
//! subreaper would find it, but only until the supervisor restarts, so there is none.)
//!
//! # Map
//! | module | what |
//! |---|---|
//! | `runtime` | the trait, [`Launch`], [`Running`], [`Notice`], [`Usage`], errors |
//! | `process` | the kernel's side: `child` (clone and exec), `watch` (exits), `stop`, `group` |
//! | `cgroup` | which limits this machine can enforce, and the groups of instances |
//! | [`logs`] | bounded without a reader, tail, follow |
//! | [`notify`] | the sd_notify readiness socket |
//! | [`ports`] | who owns a port, and whether a child could bind it |
//! | [`identity`] | (boot id, pid, start time) |
//! | `fake` | a machine in memory |
//!
//! Linux 5.14 or newer (`cgroup.kill`, `CLOSE_RANGE_CLOEXEC`, `CLONE_INTO_CGROUP`).

mod cgroup;
mod errors;
mod fake;
pub mod identity;
pub mod logs;
pub mod notify;
mod pidfd;
pub mod ports;
mod process;
mod procfs;
mod runtime;
mod secret;

pub use cgroup::{Enforcement, Limiter};
pub use errors::{AdoptError, Limit, SetupError, SpawnError, StopError};
pub use fake::{FakeRuntime, Script};
pub use notify::Notice;
pub use process::{
    Cgroups, INHERITED, INSTANCE_VARIABLE, ProcessRuntime, SCOPE_VARIABLE, Settings,
};
pub use runtime::{BoxFuture, Launch, Running, Runtime, Survivor, Usage};
pub use secret::SecretValue;
