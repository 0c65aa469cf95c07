//! What `--help` prints.

use super::load::{all_keys, prefix};
use super::{Key, Settings};

/// The text for one service.
pub(crate) fn help<S: Settings>(service: &str, version: &str, address: &str) -> String {
    let mut text = format!(
        "{service} {version}: a service of Orrery\n\n\
         Usage: {service} [--config FILE] [--SETTING VALUE]...\n\n\
         Every setting is a flag, a variable of the environment and a key of the settings file\n\
         (TOML); a flag beats the environment, which beats the file.\n\n"
    );
    for key in all_keys::<S>() {
        describe(&mut text, service, address, &key);
    }
    text.push_str(
        "  --config FILE\n      The settings file. [env: ORRERY_CONFIG]\n\
         \x20 -h, --help\n  -V, --version\n\n\
         Exit codes: 0 asked to end, 64 bad flag, 69 port or data taken, 70 failed to start, \
         78 bad setting\n",
    );
    text
}

fn describe(text: &mut String, service: &str, address: &str, key: &Key) {
    let flag = key.name.replace('_', "-");
    text.push_str(&format!("  --{flag} VALUE\n"));
    for line in key.about.lines() {
        text.push_str(&format!("      {}\n", line.trim()));
    }
    let variable = format!("{}{}", prefix(service), key.name.to_uppercase());
    let default = if key.name == "address" {
        address
    } else {
        &key.default
    };
    if default.is_empty() {
        text.push_str(&format!("      [env: {variable}]\n"));
    } else {
        text.push_str(&format!("      [env: {variable}] [default: {default}]\n"));
    }
}
