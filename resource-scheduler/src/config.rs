//! What it can be told.

use std::collections::BTreeMap;
use std::time::Duration;

use chassis::{Exit, Failure};
use model::Resources;
use placement::Weights;

chassis::settings! {
    /// What it can be told.
    pub(crate) struct Config {
        /// This share of each machine is kept for class P0, in percent.
        pub(crate) headroom: u32 = 15,
        /// How machines are filled: `best-fit`, `worst-fit`, `first-fit`, `dot-product`, or
        /// `fragmentation`, which keeps graphics processors usable for what services ask for.
        pub(crate) policy: String = "best-fit".to_owned(),
        /// How much each tenant may have at once, as `tenant/amount=number`: `web/instances=40`,
        /// `research/gpu_milli=4000`, `research/cpu_millicores=20000`. A spec says with
        /// `placement.tenant` whose it is; what is not named has no limit.
        pub(crate) quotas: Vec<String> = Vec::new(),
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
        quotas: quotas(&config.quotas)?,
        ..placement::Settings::default()
    })
}

fn quotas(given: &[String]) -> Result<BTreeMap<String, Resources>, Failure> {
    let mut quotas: BTreeMap<String, Resources> = BTreeMap::new();
    for text in given {
        let parts = text.split_once('/').and_then(|(tenant, rest)| {
            let (name, amount) = rest.split_once('=')?;
            Some((tenant.trim(), name.trim(), amount.trim().parse().ok()?))
        });
        let Some((tenant, name, amount)) = parts.filter(|(tenant, ..)| !tenant.is_empty()) else {
            let message = format!("quotas: {text:?} cannot be read");
            let hint = "write it as `web/instances=40` or `research/cpu_millicores=20000`";
            return Err(Failure::new(Exit::Config, message).with_hint(hint));
        };
        let quota = quotas.entry(tenant.to_owned()).or_default();
        quota.0.insert(name.to_owned(), amount);
    }
    Ok(quotas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_by_tenant_and_what_is_none_is_refused() {
        let given = ["web/instances=4", "web/gpu_milli=500", "ml/instances=1"];
        let given = given.map(str::to_owned);
        let web = Resources::default()
            .with("instances", 4)
            .with("gpu_milli", 500);
        let ml = Resources::default().with("instances", 1);
        let expected = [("web".to_owned(), web), ("ml".to_owned(), ml)].into();
        assert_eq!(quotas(&given).ok(), Some(expected));
        for wrong in ["web", "web/instances", "/instances=4", "web/instances=many"] {
            assert!(quotas(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
