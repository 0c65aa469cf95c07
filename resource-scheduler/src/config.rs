//! What it can be told.

use std::time::Duration;

use chassis::{Exit, Failure};
use placement::Weights;

chassis::settings! {
    /// What it can be told.
    pub(crate) struct Config {
        /// This share of each machine is kept for class P0, in percent.
        pub(crate) headroom: u32 = 15,
        /// How machines are filled: `best-fit`, `worst-fit`, `first-fit`, `dot-product`, or
        /// `fragmentation`, which keeps graphics processors usable for what services ask for.
        pub(crate) policy: String = "best-fit".to_owned(),
        /// How often everything is asked for anew, whatever the stream of changes said.
        pub(crate) poll: Duration = Duration::from_secs(30),
    }
}

/// How machines are filled.
pub(crate) fn placement(config: &Config) -> Result<placement::Settings, Failure> {
    let wrong = |message: String, hint| Err(Failure::new(Exit::Config, message).with_hint(hint));
    let weights = match config.policy.as_str() {
        "best-fit" => Weights::best_fit(),
        "worst-fit" => Weights::worst_fit(),
        "first-fit" => Weights::first_fit(),
        "dot-product" => Weights::dot_product(),
        "fragmentation" => Weights::fragmentation_aware(),
        other => {
            let hint = "say `best-fit`, `worst-fit`, `first-fit`, `dot-product` or `fragmentation`";
            return wrong(format!("policy: {other:?} is none"), hint);
        }
    };
    if config.headroom > 90 {
        let message = format!("headroom: {} percent", config.headroom);
        return wrong(message, "keep at most 90");
    }
    Ok(placement::Settings {
        headroom_percent: config.headroom,
        weights,
        ..placement::Settings::default()
    })
}
