//! Rates from two looks at what instances use.

use std::collections::HashMap;

use client::scheduling::UsageReply;

/// What one instance uses; `None` where it is not known (yet).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Thousandths of a core.
    pub(super) cpu_millicores: Option<u64>,
    /// Resident memory, in bytes.
    pub(super) rss_bytes: Option<u64>,
}

/// What all instances use.
#[derive(Debug, Default)]
pub(super) struct Loads {
    at_ms: u64,
    cpu_time_ms: HashMap<String, u64>,
    loads: HashMap<String, Load>,
}

impl Loads {
    /// Takes a look into account.
    pub(super) fn take(&mut self, usage: UsageReply) {
        let passed_ms = usage.at_ms.saturating_sub(self.at_ms);
        let before = std::mem::take(&mut self.cpu_time_ms);
        self.loads.clear();
        for instance in usage.instances {
            let busy_ms = before
                .get(&instance.instance)
                .map(|before| instance.cpu_time_ms.saturating_sub(*before));
            let load = Load {
                cpu_millicores: busy_ms
                    .and_then(|busy_ms| busy_ms.saturating_mul(1_000).checked_div(passed_ms)),
                rss_bytes: Some(instance.rss_bytes),
            };
            self.loads.insert(instance.instance.clone(), load);
            self.cpu_time_ms
                .insert(instance.instance, instance.cpu_time_ms);
        }
        self.at_ms = usage.at_ms;
    }

    /// What an instance uses.
    pub(super) fn of(&self, instance: &str) -> Load {
        self.loads.get(instance).copied().unwrap_or_default()
    }
}

/// Thousandths of a core, as per cent of one core.
pub(super) fn percent(millicores: u64) -> String {
    format!("{}.{}%", millicores / 10, millicores % 10)
}

/// Bytes in the largest unit of which there is at least one.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, size)| bytes >= *size);
    unit.map_or(format!("{bytes} B"), |(name, size)| {
        let tenths = bytes.saturating_mul(10) / size;
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    })
}

#[cfg(test)]
mod tests {
    use client::scheduling::{InstanceUsage, UsageReply};

    use super::{Loads, bytes, percent};

    fn usage(at_ms: u64, cpu_time_ms: u64) -> UsageReply {
        let instance = InstanceUsage {
            instance: "echo.0.1".to_owned(),
            cpu_time_ms,
            rss_bytes: 3 << 20,
            pids: 2,
        };
        UsageReply {
            at_ms,
            instances: vec![instance],
        }
    }

    #[test]
    fn two_looks_make_a_rate_and_one_makes_none() {
        let mut loads = Loads::default();
        loads.take(usage(1_000, 500));
        assert_eq!(loads.of("echo.0.1").cpu_millicores, None);
        loads.take(usage(3_000, 1_500));
        assert_eq!(loads.of("echo.0.1").cpu_millicores, Some(500));
        loads.take(usage(3_000, 1_600));
        assert_eq!(loads.of("echo.0.1").cpu_millicores, None, "no time passed");
        assert_eq!(loads.of("gone").rss_bytes, None);
    }

    #[test]
    fn amounts_are_said_in_the_unit_that_fits() {
        assert_eq!(bytes(17), "17 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(percent(1_234), "123.4%");
    }
}
