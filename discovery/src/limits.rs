//! What a registration may be: everything a peer sends is bounded here, and parsed.

use std::net::SocketAddr;

use discovery::Registration;
use rpc::Error;

const SERVICE_BYTES_MAX: usize = 128;
const INSTANCE_BYTES_MAX: usize = 192;
const WORD_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 256;
const LABELS_MAX: usize = 32;
const PROCEDURES_MAX: usize = 1_024;
const WEIGHT_MAX: u32 = 1_000_000;

/// Says what is wrong with a registration, if anything is.
pub(crate) fn check(registration: &Registration) -> Result<(), Error> {
    name("service", &registration.service, SERVICE_BYTES_MAX, "-_.")?;
    name(
        "instance",
        &registration.instance,
        INSTANCE_BYTES_MAX,
        "-_.@:[]",
    )?;
    address(&registration.address)?;
    text("version", &registration.version, WORD_BYTES_MAX)?;
    text("zone", &registration.zone, WORD_BYTES_MAX)?;
    at_most("procedures", registration.procedures.len(), PROCEDURES_MAX)?;
    at_most("weight", registration.weight as usize, WEIGHT_MAX as usize)?;
    at_most("labels", registration.labels.len(), LABELS_MAX)?;
    for (label, value) in &registration.labels {
        name("label", label, WORD_BYTES_MAX, "-_./")?;
        text(label, value, VALUE_BYTES_MAX)?;
    }
    Ok(())
}

fn refused(message: String) -> Error {
    Error::invalid("bad-registration", message)
}

fn name(field: &str, value: &str, bytes_max: usize, signs: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    if value.is_empty() || value.len() > bytes_max || !value.chars().all(fits) {
        let message = format!(
            "`{field}` must be 1 to {bytes_max} letters, digits or `{signs}`; it has {} bytes",
            value.len()
        );
        return Err(refused(message));
    }
    Ok(())
}

fn text(field: &str, value: &str, bytes_max: usize) -> Result<(), Error> {
    at_most(field, value.len(), bytes_max)?;
    // What is shown in a terminal must not be able to steer it.
    if value.chars().any(char::is_control) {
        return Err(refused(format!("`{field}` has control characters")));
    }
    Ok(())
}

fn at_most(field: &str, size: usize, most: usize) -> Result<(), Error> {
    if size > most {
        return Err(refused(format!(
            "`{field}` is {size}, and may be at most {most}"
        )));
    }
    Ok(())
}

fn address(value: &str) -> Result<(), Error> {
    let parsed: Result<SocketAddr, _> = value.parse();
    let reachable = |address: &SocketAddr| {
        let ip = address.ip();
        address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
    };
    // The same address is always written the same way, so that it can be compared as text.
    match parsed {
        Ok(address) if reachable(&address) && address.to_string() == value => Ok(()),
        _ => Err(
            refused("`address` must be an IP address and a port others can call".to_owned())
                .with_hint("like 127.0.0.1:10100; not 0.0.0.0, and not port 0"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use discovery::Protocol;

    use super::*;

    fn good() -> Registration {
        Registration {
            service: "echo".into(),
            instance: "echo.2.7".into(),
            address: "127.0.0.1:10100".into(),
            version: "1.0.0".into(),
            zone: "berlin a".into(),
            weight: 100,
            protocol: Protocol::Rpc,
            procedures: vec![101],
            labels: BTreeMap::from([("tier".into(), "gold".into())]),
        }
    }

    #[test]
    fn a_usual_registration_is_taken() {
        check(&good()).unwrap();
        let by_hand = Registration {
            instance: "echo@[::1]:9".into(),
            ..good()
        };
        check(&by_hand).unwrap();
    }

    #[test]
    fn everything_is_bounded_and_the_error_names_the_field() {
        let many: BTreeMap<_, _> = (0..33).map(|n| (format!("l{n}"), String::new())).collect();
        let long = BTreeMap::from([("tier".to_owned(), "x".repeat(257))]);
        let cases = [
            (
                "service",
                Registration {
                    service: String::new(),
                    ..good()
                },
            ),
            (
                "service",
                Registration {
                    service: "x".repeat(129),
                    ..good()
                },
            ),
            (
                "service",
                Registration {
                    service: "ec ho".into(),
                    ..good()
                },
            ),
            (
                "instance",
                Registration {
                    instance: "x".repeat(193),
                    ..good()
                },
            ),
            (
                "instance",
                Registration {
                    instance: "ä".into(),
                    ..good()
                },
            ),
            (
                "version",
                Registration {
                    version: "x".repeat(65),
                    ..good()
                },
            ),
            (
                "zone",
                Registration {
                    zone: "\u{1b}[2J".into(),
                    ..good()
                },
            ),
            (
                "weight",
                Registration {
                    weight: 1_000_001,
                    ..good()
                },
            ),
            (
                "procedures",
                Registration {
                    procedures: vec![1; 1_025],
                    ..good()
                },
            ),
            (
                "labels",
                Registration {
                    labels: many,
                    ..good()
                },
            ),
            (
                "tier",
                Registration {
                    labels: long,
                    ..good()
                },
            ),
        ];
        for (field, registration) in cases {
            let error = check(&registration).unwrap_err();
            assert!(
                error.message.contains(&format!("`{field}`")),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn an_address_is_one_that_others_can_call() {
        for address in [
            "",
            "echo:1",
            "127.0.0.1",
            "127.0.0.1:0",
            "0.0.0.0:80",
            "224.0.0.1:80",
        ] {
            let registration = Registration {
                address: address.into(),
                ..good()
            };
            assert_eq!(
                check(&registration).unwrap_err().reason,
                "bad-registration",
                "{address}"
            );
        }
    }
}
